"""Boxes and encodings equal those of the real face_recognition package."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from reference import load_reference

from face_det.engine.engine import Engine, EngineOptions, build_engine
from face_det.types import Box, Rgb

fr = load_reference()

PEOPLE = ("obama", "obama2", "obama3", "biden", "astronaut", "grace_hopper", "t1")


def small(path: Path, width: int) -> Rgb:
    picture = PIL.Image.open(path).convert("RGB")
    picture.thumbnail((width, width))
    return np.array(picture)


@pytest.fixture(scope="module", params=["hog", "cnn"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """An engine without limits, so that every face is compared."""
    return build_engine(EngineOptions(detector=request.param, min_face_px=0, focus_threshold=0))


@pytest.mark.parametrize(
    "name", [PEOPLE[0], *(pytest.param(one, marks=pytest.mark.slow) for one in PEOPLE[1:])]
)
def test_agrees_with_face_recognition(engine: Engine, photos: Mapping[str, Path], name: str) -> None:
    """The same faces in the same order, with the same boxes; encodings within 1e-6 of the reference's."""
    # dlib's own network takes seconds for a large picture.
    cnn_width = 300 if name in ("obama3", "t1") else 220
    rgb = small(photos[name], 640 if engine.options.detector == "hog" else cnn_width)
    expected_boxes = fr.face_locations(rgb, engine.options.upsample, engine.options.detector)
    expected = fr.face_encodings(rgb, expected_boxes)
    (faces,) = engine.faces([(rgb, None)])
    boxes = [(f.box.ymin, f.box.xmax, f.box.ymax, f.box.xmin) for f in faces]
    assert boxes == expected_boxes
    assert len(boxes) >= 1
    for face, encoding in zip(faces, expected, strict=True):
        assert face.encoding is not None
        np.testing.assert_allclose(face.encoding, encoding, atol=1e-6)


@pytest.mark.slow
def test_a_persons_box_is_a_picture_of_its_own(engine: Engine, photos: Mapping[str, Path]) -> None:
    """Within a person's box, the result is that of the crop, shifted to where the box lies."""
    width, right, bottom = (640, 400, 300) if engine.options.detector == "hog" else (440, 275, 206)
    rgb = small(photos["t1"], width)
    box = Box(10.9, 5.2, right + 0.7, bottom + 0.1)
    crop = np.ascontiguousarray(rgb[5:bottom, 10:right])
    expected_boxes = fr.face_locations(crop, engine.options.upsample, engine.options.detector)
    assert expected_boxes
    (faces,) = engine.faces([(rgb, box)])
    boxes = [(f.box.ymin - 5, f.box.xmax - 10, f.box.ymax - 5, f.box.xmin - 10) for f in faces]
    assert boxes == expected_boxes
    for face, encoding in zip(faces, fr.face_encodings(crop, expected_boxes), strict=True):
        assert face.encoding is not None
        np.testing.assert_allclose(face.encoding, encoding, atol=1e-6)


def test_many_views_are_their_single_answers(engine: Engine, photos: Mapping[str, Path]) -> None:
    """A call over many images gives what one call per image gives, in order."""
    views = [(small(photos[name], 240), None) for name in ("biden", "t1", "obama")]
    together = engine.faces(iter(views))
    for view, faces in zip(views, together, strict=True):
        (alone,) = engine.faces([view])
        assert [face.box for face in faces] == [face.box for face in alone]
        for face, single in zip(faces, alone, strict=True):
            assert face.encoding is not None
            assert single.encoding is not None
            np.testing.assert_allclose(face.encoding, single.encoding, atol=1e-6)
