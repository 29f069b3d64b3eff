"""minFace saves the cnn detector work, and changes nothing about the faces that are large enough."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from face_det.engine.engine import Engine, EngineOptions, build_engine
from face_det.nets.compute import Compute
from face_det.types import Face, Reason, Rgb

pytestmark = pytest.mark.usefixtures("shared_networks")

ALL = EngineOptions("cnn", min_face_px=0, focus_threshold=0)


@pytest.fixture(scope="module")
def full() -> Engine:
    """An engine for faces of every size."""
    return build_engine(ALL)


def scaled(path: Path, width: int) -> Rgb:
    picture = PIL.Image.open(path).convert("RGB")
    return np.array(picture.resize((width, round(picture.height * width / picture.width))))


def side(face: Face) -> float:
    return min(face.box.width, face.box.height)


@pytest.mark.slow
@pytest.mark.parametrize("width", [430, 501, 640])
def test_large_enough_faces_are_those_of_the_full_run(
    full: Engine, photos: Mapping[str, Path], width: int
) -> None:
    """Boxes, order, scores and encodings; any other face is too small, and in the full run as well."""
    rgb = scaled(photos["t1"], width)
    (everybody,) = full.faces([(rgb, None)])
    sides = sorted(map(side, everybody))
    assert len(sides) >= 5
    too_small = 0
    for least in (20, 41, 50, 60, sides[-1] - 1, sides[-1] + 1, 200):
        (found,) = build_engine(replace(ALL, min_face_px=least)).faces([(rgb, None)])
        large = [face for face in found if face.reason is None]
        expected = [face for face in everybody if side(face) >= least]
        assert [face.box for face in large] == [face.box for face in expected]
        for face, wanted in zip(large, expected, strict=True):
            assert face.score == pytest.approx(wanted.score, abs=1e-5)
            assert face.encoding is not None
            np.testing.assert_allclose(face.encoding, wanted.encoding, atol=1e-6)
        others = [face for face in found if face.reason is not None]
        assert {face.reason for face in others} <= {Reason.TOO_SMALL}
        assert {face.box for face in others} <= {face.box for face in everybody}
        if least <= 40:
            assert len(found) == len(everybody)
        too_small += len(others)
    assert too_small >= 1


def test_a_small_face_on_a_computed_level_is_too_small(full: Engine, photos: Mapping[str, Path]) -> None:
    """A face on a level that was not computed is not found at all."""
    rgb = scaled(photos["obama"], 200)
    ((face,),) = full.faces([(rgb, None)])
    (found,) = build_engine(replace(ALL, min_face_px=side(face) + 1)).faces([(rgb, None)])
    assert [one.reason for one in found] == [Reason.TOO_SMALL]
    assert build_engine(replace(ALL, min_face_px=4 * side(face))).faces([(rgb, None)]) == [()]


def test_networks_are_shared_by_those_that_may(photos: Mapping[str, Path]) -> None:
    """Other limits, doublings, jitters and threads share; wanting smaller faces or other answers does not."""
    engine = build_engine(replace(ALL, detector="hog", min_face_px=30))
    options = engine.options
    for change in (
        {"focus_threshold": 7.0},
        {"min_face_px": 30.0},
        {"min_face_px": 90.0, "upsample": 0, "jitters": 3},
        {"compute": Compute(threads=2)},
        {"search_from_px": 40.0},
    ):
        shared = engine.with_options(replace(options, **change))
        assert shared.options == replace(options, **change)
        assert shared._detector is engine._detector
    for change in (
        {"min_face_px": 29.0},
        {"detector": "yunet"},
        {"jitter": "fast"},
        {"compute": Compute(precision="bf16")},
    ):
        with pytest.raises(ValueError, match="must share the networks"):
            engine.with_options(replace(options, **change))


def test_options_travel_to_other_processes() -> None:
    """Options are equal after pickling, and have the same hash."""
    options = EngineOptions(jitter="fast", compute=Compute("openvino", "bf16", threads=3))
    assert pickle.loads(pickle.dumps(options)) == options
    assert hash(pickle.loads(pickle.dumps(options))) == hash(options)
