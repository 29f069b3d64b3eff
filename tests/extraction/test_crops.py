"""What is cut out of a picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from toy_faces import SIDE_PX, ToyEngine, toy_frame

from face_det.extraction import CropKind, Person, cut_crops
from face_det.extraction.crops import cut_jpeg
from face_det.types import Box, Face, Reason, Rgb

ALL = frozenset(CropKind)


def persons(*boxes: Box) -> list[Person]:
    return [Person(box, 0.9) for box in boxes]


def pixels(jpeg: bytes) -> Rgb:
    with PIL.Image.open(io.BytesIO(jpeg)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_each_kind_is_cut_out() -> None:
    """A person with a face gives both, one without gives its own kind, and all are 300 px wide."""
    rgb = toy_frame((1, 100, 50))
    cut = cut_crops(rgb, persons(Box(60, 20, 180, 320), Box(400, 0, 500, 200)), ToyEngine(), ALL)
    assert [(crop.kind, crop.number) for crop in cut.crops] == [
        (CropKind.FACE, 1),
        (CropKind.PERSON, 1),
        (CropKind.NO_FACE, 2),
    ]
    assert [pixels(crop.jpeg).shape for crop in cut.crops] == [(300, 300, 3), (750, 300, 3), (600, 300, 3)]
    assert (cut.persons, cut.faces, cut.unclear, cut.outside) == (2, 1, 0, 0)


@pytest.mark.parametrize("kind", CropKind)
def test_only_what_is_wanted(kind: CropKind) -> None:
    """Each kind can be had alone."""
    boxes = persons(Box(60, 20, 180, 320), Box(400, 0, 500, 200))
    cut = cut_crops(toy_frame((1, 100, 50)), boxes, ToyEngine(), frozenset({kind}))
    assert [crop.kind for crop in cut.crops] == [kind]


def test_the_person_is_cut_out_of_the_picture_itself() -> None:
    """The second person's part comes from the whole picture too, not from what was cut out before."""
    rgb = np.full((100, 200, 3), 128, np.uint8)
    rgb[:, 100:] = 250
    boxes = persons(Box(0, 0, 100, 100), Box(100, 0, 200, 100))
    one, two = cut_crops(rgb, boxes, _NoFaces(), ALL, width_px=0).crops
    assert abs(int(pixels(one.jpeg).mean()) - 128) <= 1
    assert abs(int(pixels(two.jpeg).mean()) - 250) <= 1


def test_a_face_belongs_to_one_person() -> None:
    """Where boxes overlap, the face goes to the one whose head it is; the other has none."""
    rgb = toy_frame((1, 100, 50))
    own, other = Box(70, 40, 170, 350), Box(95, 40, 330, 350)
    cut = cut_crops(rgb, persons(other, own), ToyEngine(), ALL)
    assert [(crop.kind, crop.number) for crop in cut.crops] == [
        (CropKind.NO_FACE, 1),
        (CropKind.FACE, 2),
        (CropKind.PERSON, 2),
    ]


def test_somebody_who_was_detected_twice_has_one_face() -> None:
    """The face is saved once."""
    boxes = persons(Box(60, 20, 180, 320), Box(62, 20, 182, 322))
    cut = cut_crops(toy_frame((1, 100, 50)), boxes, ToyEngine(), ALL)
    assert [crop.kind for crop in cut.crops] == [CropKind.FACE, CropKind.PERSON, CropKind.PERSON]
    assert cut.faces == 1


def test_whole_pictures_have_faces_only() -> None:
    """Every face is cut out, with a margin of half its size."""
    cut = cut_crops(
        toy_frame((1, 100, 50), (2, 300, 50)), None, ToyEngine(), frozenset({CropKind.FACE}), width_px=0
    )
    assert [pixels(crop.jpeg).shape for crop in cut.crops] == [(2 * SIDE_PX, 2 * SIDE_PX, 3)] * 2
    assert (cut.persons, cut.faces) == (0, 2)


def test_boxes_that_stick_out_or_lie_outside() -> None:
    """The part inside the picture is taken; a box outside it is counted, not guessed at."""
    boxes = persons(Box(-50, -50, 200, 999), Box(700, 0, 800, 100), Box(10, 10, 10, 300))
    cut = cut_crops(toy_frame((1, 100, 50)), boxes, ToyEngine(), frozenset({CropKind.PERSON}), width_px=0)
    assert [pixels(crop.jpeg).shape for crop in cut.crops] == [(360, 200, 3)]
    assert cut.outside == 2


def test_a_face_that_is_too_small_is_neither() -> None:
    """Somebody whose face cannot be used is no person with a face, and none without one; it is counted."""
    cut = cut_crops(toy_frame((1, 100, 50)), persons(Box(60, 20, 180, 320)), _SmallFaces(), ALL)
    assert (cut.crops, cut.unclear, cut.faces) == ((), 1, 0)


def test_faces_are_encoded_on_demand() -> None:
    """Sorting needs encodings; without it, the time for them is saved."""
    engine = ToyEngine()
    boxes = persons(Box(60, 20, 180, 320))
    (crop,) = cut_crops(toy_frame((1, 100, 50)), boxes, engine, frozenset({CropKind.PERSON})).crops
    assert crop.face is not None
    assert crop.face.encoding is None
    assert engine.embedder.encoded == 0
    (crop,) = cut_crops(
        toy_frame((1, 100, 50)), boxes, engine, frozenset({CropKind.PERSON}), encode=True
    ).crops
    assert crop.face is not None
    assert crop.face.encoding is not None


def test_a_sliver_does_not_become_a_tower() -> None:
    """A box of one column would be 300 px wide and endlessly high."""
    assert pixels(cut_jpeg(np.zeros((1000, 20, 3), np.uint8), Box(5, 0, 6, 1000))).shape == (10_000, 300, 3)


def test_real_photos(photos: dict[str, Path], shared_networks: None) -> None:
    """A face that was cut out is found again, and so is that of the person."""
    from face_det.engine import EngineOptions, build_engine
    from face_det.media import load_image

    engine = build_engine(EngineOptions(detector="auto", embedder="sface"))
    rgb = load_image(photos["obama"])
    height, width = rgb.shape[:2]
    cut = cut_crops(rgb, persons(Box(0, 0, width, height)), engine, ALL)
    assert [crop.kind for crop in cut.crops] == [CropKind.FACE, CropKind.PERSON]
    assert [len(engine.find(pixels(crop.jpeg))) for crop in cut.crops] == [1, 1]


class _NoFaces(ToyEngine):
    def find(self, rgb, regions=None, from_px=0.0):  # type: ignore[no-untyped-def]
        return ()


class _SmallFaces(ToyEngine):
    def find(self, rgb, regions=None, from_px=0.0):  # type: ignore[no-untyped-def]
        return (Face(Box(100, 50, 110, 60), 0.9, 0.0, Reason.TOO_SMALL, None),)
