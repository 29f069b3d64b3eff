"""The one face of a picture that somebody is enrolled with."""

from __future__ import annotations

from face_det.engine import Engine
from face_det.errors import NoFace, SeveralFaces
from face_det.faces import Face, Reason, Rgb


def one_face(engine: Engine, rgb: Rgb) -> Face:
    """The face; NoFace and SeveralFaces say what to do."""
    (faces,) = engine.faces([(rgb, None)])
    usable = [face for face in faces if face.reason is None]
    if len(usable) > 1:
        raise SeveralFaces(f"image: must show exactly one face, got {len(usable)}; crop it to one person")
    if not usable and any(face.reason is Reason.TOO_SMALL for face in faces):
        largest = max(min(face.box.width, face.box.height) for face in faces)
        raise NoFace(
            f"image: its face must be at least {engine.options.min_face_px:g} px (minFace), "
            f"got {largest:g}; come closer"
        )
    if not usable:
        raise NoFace("image: must show one face, got none that the detector sees")
    return usable[0]
