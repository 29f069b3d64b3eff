"""Cuts persons and faces out of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from face_det.boxes import intersection_over_union
from face_det.engine import FaceEngine
from face_det.media import crop_box, encode_jpeg, resize_image
from face_det.recognition import SAME_FACE_IOU, assign_faces
from face_det.types import Box, Face, Rgb

WIDTH_PX = 300
FACE_MARGIN = 0.5
"""The margin on every side of a face, in longer sides of its box; with it, detectors find the face again."""
MAX_HEIGHT_PX = 10_000


class CropKind(str, Enum):
    """What is cut out."""

    FACE = "face"
    PERSON = "person"
    """A person with a face."""
    NO_FACE = "no-face"
    """A person without a face."""


@dataclass(frozen=True, eq=False, slots=True)
class Person:
    """Where a person is, in pixels of the picture, and how sure that is, 0..1 unless the detector differs.

    `face` is theirs, not encoded yet, if it is how they were found; otherwise it is searched for in the box.
    """

    box: Box
    score: float
    face: Face | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Crop:
    """A part of a picture, as a JPEG. `number` is the person's in the picture, from 1; `face` is theirs."""

    kind: CropKind
    number: int
    jpeg: bytes
    face: Face | None


@dataclass(frozen=True, eq=False, slots=True)
class PictureCrops:
    """What was cut out of a picture, and how many persons and faces it shows.

    `unclear` counts the faces that are too small or too blurry to be of use, and `outside` the persons'
    boxes that cover no pixel of the picture.
    """

    crops: tuple[Crop, ...]
    persons: int
    faces: int
    unclear: int
    outside: int


def cut_crops(
    rgb: Rgb,
    persons: Sequence[Person] | None,
    engine: FaceEngine,
    kinds: frozenset[CropKind],
    *,
    width_px: int = WIDTH_PX,
    encode: bool = False,
) -> PictureCrops:
    """Cut the wanted `kinds` out of a picture.

    `persons` are where persons are; None stands for the whole picture, in which only faces can be cut out. A
    face belongs to one person, also where boxes overlap. A person whose face is too small or too blurry is
    neither one with a face nor one without. Every part is `width_px` wide, or keeps its size if that is 0.
    With `encode`, faces have their encodings. Raises BadImage if the picture crashes the engine.
    """
    if persons is None:
        faces = _look(engine, rgb, None, encode)
        return _summarise([(None, face) for face in faces], rgb, kinds, width_px, 0)
    height, width = rgb.shape[:2]
    inside = [replace(one, box=one.box.clipped(width, height)) for one in persons]
    inside = [one for one in inside if crop_box(rgb, one.box) is not None]
    faces_of = _faces_of(rgb, inside, engine, encode)
    found = [(one.box, face) for one, face in zip(inside, faces_of, strict=True)]
    return _summarise(found, rgb, kinds, width_px, len(persons) - len(inside))


def _faces_of(rgb: Rgb, persons: Sequence[Person], engine: FaceEngine, encode: bool) -> list[Face | None]:
    """Return each person's face, or None."""
    brought = [one.face for one in persons if one.face is not None]
    known = iter(engine.encode(rgb, brought) if encode and brought else brought)
    seen = [() if one.face is not None else _look(engine, rgb, one.box, encode) for one in persons]
    boxes = [one.box for one in persons]
    chosen = assign_faces(boxes, [[face.box for face in faces] for faces in seen], [0] * len(persons))
    return [
        next(known) if one.face is not None else None if at is None else faces[at]
        for one, faces, at in zip(persons, seen, chosen, strict=True)
    ]


def _look(engine: FaceEngine, rgb: Rgb, box: Box | None, encode: bool) -> tuple[Face, ...]:
    if encode:
        (faces,) = engine.faces([(rgb, box)])
        return faces
    return engine.find(rgb, None if box is None else [box])


def _summarise(
    found: Sequence[tuple[Box | None, Face | None]],
    rgb: Rgb,
    kinds: frozenset[CropKind],
    width_px: int,
    outside: int,
) -> PictureCrops:
    crops: list[Crop] = []
    taken: list[Box] = []
    faces = unclear = 0
    for number, (person, face) in enumerate(found, 1):
        if face is not None and face.reason is not None:
            unclear += 1
            continue
        wanted: list[tuple[CropKind, Box]] = []
        if face is None:
            assert person is not None
            wanted.append((CropKind.NO_FACE, person))
        else:
            # Somebody who was detected twice has one face.
            again = any(intersection_over_union(face.box, one) > SAME_FACE_IOU for one in taken)
            if not again:
                faces += 1
                taken.append(face.box)
                wanted.append((CropKind.FACE, _with_margin(face.box)))
            if person is not None:
                wanted.append((CropKind.PERSON, person))
        crops += [
            Crop(kind, number, cut_jpeg(rgb, box, width_px), face) for kind, box in wanted if kind in kinds
        ]
    return PictureCrops(tuple(crops), sum(person is not None for person, _ in found), faces, unclear, outside)


def _with_margin(face: Box) -> Box:
    margin = FACE_MARGIN * max(face.width, face.height)
    return Box(face.xmin - margin, face.ymin - margin, face.xmax + margin, face.ymax + margin)


def cut_jpeg(rgb: Rgb, box: Box, width_px: int = WIDTH_PX) -> bytes:
    """Return the part of a picture inside a box as a JPEG of that width, or of its own if `width_px` is 0.

    The height follows, up to MAX_HEIGHT_PX. The box must cover a pixel.

    >>> import numpy as np
    >>> from face_det.media import read_jpeg_size
    >>> read_jpeg_size(cut_jpeg(np.zeros((80, 100, 3), np.uint8), Box(10, 0, 60, 80), width_px=300))
    (300, 480)
    """
    part = crop_box(rgb, box)
    assert part is not None
    height, width = part.shape[:2]
    if width_px:
        tall = min(max(1, round(height * width_px / width)), MAX_HEIGHT_PX)
        part = resize_image(part, width_px, tall)
    return encode_jpeg(part)
