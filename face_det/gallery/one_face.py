"""Decides which face of a photo is enrolled, if any, and why none is.

A picture sent to be enrolled must show exactly one face. Photos in the dataset may have others in the
background: then the main face is taken where it is clear which one that is. A photo left out costs little,
a wrong face enrolled costs much, so anything less than clear is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from face_det.engine import FaceEngine
from face_det.errors import BadImage, DataError, NoFace, SeveralFaces
from face_det.gallery.encoding_cache import EncodingResult, OmissionReason
from face_det.types import Face, Reason, Rgb


def choose_only_face(faces: Sequence[Face]) -> Face | None:
    """Return the only face that is large enough; None if there are several, or none.

    >>> choose_only_face([]) is None
    True
    """
    usable = [face for face in faces if face.reason is not Reason.TOO_SMALL]
    return usable[0] if len(usable) == 1 else None


MAIN_FACE_AREA_RATIO = 3.0
"""A main face has at least this many times the area of any other."""
MAIN_FACE_OFFSET = (0.2, 0.3)
"""How far a main face's centre may be from the photo's, as a share of its width and height. Heads are often
above the middle.

Of 1,492 photos of Labeled Faces in the Wild, 162 show several faces. The rule takes a face in 34 of them, and
in 353 of 932 random cuts of them, never another than the central one, which by its design is the
person it is named after; where somebody's other photos could tell (8 photos), they agreed. The limits were
chosen on the same photos, all of them framed around one person, so they are stricter than these needed: half
the area ratio takes three times as many, without a mistake there.
"""


def choose_dataset_face(faces: Sequence[Face], width: int, height: int) -> Face | None:
    """Return the face to enrol from a dataset's photo of this size in pixels; None if it isn't clear.

    That is the only face that is large enough, or one that is much larger than all others and near the
    middle.

    >>> from face_det.types import Box
    >>> small, large = (Face(Box(x, 60, x + px, 60 + px), 1, 0, None, None) for x, px in ((0, 30), (90, 80)))
    >>> choose_dataset_face([small, large], 250, 200) is large
    True
    >>> choose_dataset_face([small, large], 900, 200) is None
    True
    """
    usable = [face for face in faces if face.reason is not Reason.TOO_SMALL]
    if len(usable) < 2:
        return choose_only_face(faces)
    main, second = sorted(usable, key=lambda face: face.box.width * face.box.height, reverse=True)[:2]
    box, other = main.box, second.box
    across = abs((box.xmin + box.xmax) / 2 - width / 2) / width
    down = abs((box.ymin + box.ymax) / 2 - height / 2) / height
    larger = box.width * box.height >= MAIN_FACE_AREA_RATIO * other.width * other.height
    return main if larger and across <= MAIN_FACE_OFFSET[0] and down <= MAIN_FACE_OFFSET[1] else None


def omission_reason(faces: Sequence[Face]) -> OmissionReason:
    """Return the reason why a photo with these faces, none of which was chosen, has no encoding.

    >>> omission_reason([]).value
    'no_face'
    """
    if not faces:
        return OmissionReason.NO_FACE
    small = all(face.reason is Reason.TOO_SMALL for face in faces)
    return OmissionReason.TOO_SMALL if small else OmissionReason.SEVERAL_FACES


def unreadable_reason(error: DataError) -> OmissionReason:
    """Return the reason why a photo that cannot be read has no encoding.

    >>> unreadable_reason(BadImage("wall.png: cannot be read")).value
    'bad_image'
    """
    too_large = isinstance(error, BadImage) and error.too_large
    return OmissionReason.TOO_LARGE if too_large else OmissionReason.BAD_IMAGE


def result_of_faces(faces: Sequence[Face], width: int, height: int) -> EncodingResult:
    """Return the encoding of the face to enrol from a dataset's photo, or why there is none.

    >>> result_of_faces([], 640, 480).reason.value
    'no_face'
    """
    face = choose_dataset_face(faces, width, height)
    if face is None:
        return EncodingResult(None, omission_reason(faces))
    return EncodingResult(face.encoding, None, main_face=choose_only_face(faces) is None)


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
        largest = max(face.box.shorter_side for face in faces)
        raise NoFace(
            f"image: its face must be at least {engine.options.min_face_px:g} px (minFace), "
            f"got {largest:g}; come closer"
        )
    raise NoFace("image: must show one face, got none that the detector sees")
