"""Cuts a face that a user chose out of a picture that shows several, so that the photo shows that face only.

The dataset is all there is: a photo with several faces would be left out, or give another face, when it is
encoded again.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_det.boxes import intersection_over_union
from face_det.engine import FaceEngine
from face_det.errors import NoFace, SeveralFaces
from face_det.gallery.one_face import choose_only_face
from face_det.media import load_image, make_thumbnail, pixel_region
from face_det.types import Box, Face, Reason, Rgb

MARGINS = (1.0, 0.6, 0.35, 0.2)
"""How much around the face is kept, as a share of its size: the most with which it is the only face."""
SAME_BOX_IOU = 0.3


@dataclass(frozen=True, eq=False, slots=True)
class ChosenFace:
    """The bytes and pixels of a picture that shows only the chosen face, which is `face` in the original."""

    data: bytes
    rgb: Rgb
    face: Face


def cut_out_face(engine: FaceEngine, data: bytes, rgb: Rgb, near: Box) -> ChosenFace:
    """Return the picture if it shows only the face at `near`, in pixels, or a part of it that does.

    Raises NoFace if there is no face, and SeveralFaces if another one is too near.
    """
    (faces,) = engine.faces([(rgb, None)])
    face = max(faces, key=lambda one: intersection_over_union(one.box, near), default=None)
    if face is None or intersection_over_union(face.box, near) < SAME_BOX_IOU:
        raise NoFace("options.faceBox: must be the box of a face in the picture, as recognize answers it")
    if face.reason is Reason.TOO_SMALL:
        raise NoFace(f"options.faceBox: that face is below {engine.options.min_face_px:g} px (minFace)")
    if choose_only_face(faces) is face:
        return ChosenFace(data, rgb, face)
    height, width = rgb.shape[:2]
    for margin in MARGINS:
        px = margin * max(face.box.width, face.box.height)
        around = Box(face.box.xmin - px, face.box.ymin - px, face.box.xmax + px, face.box.ymax + px)
        region = pixel_region(around, width, height)
        if region is None:
            continue
        left, top, right, bottom = region
        part = make_thumbnail(rgb[top:bottom, left:right], max(width, height))
        pixels = load_image(part)
        (found,) = engine.faces([(pixels, None)])
        only = choose_only_face(found)
        if only is not None and intersection_over_union(only.box.shifted(left, top), face.box) > SAME_BOX_IOU:
            return ChosenFace(part, pixels, face)
    raise SeveralFaces(
        "options.faceBox: another face is too near to be left out; crop the picture to one person"
    )
