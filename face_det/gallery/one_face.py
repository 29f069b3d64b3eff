"""Decides whether a photo shows exactly one face, and if not, why: the rule of enrolment."""

from __future__ import annotations

from collections.abc import Sequence

from face_det.engine import FaceEngine
from face_det.errors import NoFace, SeveralFaces
from face_det.gallery.encoding_cache import EncodingResult, OmissionReason
from face_det.types import Face, Reason, Rgb


def choose_only_face(faces: Sequence[Face]) -> Face | None:
    """Return the only face that is large enough; None if there are several, or none.

    >>> choose_only_face([]) is None
    True
    """
    usable = [face for face in faces if face.reason is not Reason.TOO_SMALL]
    return usable[0] if len(usable) == 1 else None


def omission_reason(faces: Sequence[Face]) -> OmissionReason:
    """Return the reason why a photo with these faces, none of which was chosen, has no encoding.

    >>> omission_reason([]).value
    'no_face'
    """
    if not faces:
        return OmissionReason.NO_FACE
    small = all(face.reason is Reason.TOO_SMALL for face in faces)
    return OmissionReason.TOO_SMALL if small else OmissionReason.SEVERAL_FACES


def result_of_faces(faces: Sequence[Face]) -> EncodingResult:
    """Return the encoding of the only face of a photo, or why there is none.

    >>> result_of_faces([]).reason.value
    'no_face'
    """
    face = choose_only_face(faces)
    if face is None:
        return EncodingResult(None, omission_reason(faces))
    return EncodingResult(face.encoding, None)


def find_one_face(engine: FaceEngine, rgb: Rgb) -> Face:
    """Return the only face in a picture, shape (H, W, 3), encoded by an engine without a focus gate.

    Raises NoFace or SeveralFaces, with advice for the person who took the picture.
    """
    (faces,) = engine.faces([(rgb, None)])
    face = choose_only_face(faces)
    if face is not None:
        return face
    reason = omission_reason(faces)
    if reason is OmissionReason.SEVERAL_FACES:
        usable = sum(face.reason is not Reason.TOO_SMALL for face in faces)
        raise SeveralFaces(f"image: must show exactly one face, got {usable}; crop it to one person")
    if reason is OmissionReason.TOO_SMALL:
        largest = max(min(face.box.width, face.box.height) for face in faces)
        raise NoFace(
            f"image: its face must be at least {engine.options.min_face_px:g} px (minFace), "
            f"got {largest:g}; come closer"
        )
    raise NoFace("image: must show one face, got none that the detector sees")
