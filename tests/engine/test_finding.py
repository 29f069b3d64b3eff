"""Faces are found first, and only chosen ones are encoded: in this process and in isolated ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doomed_engine import CRASH, picture

from face_det.engine import EngineOptions, FaceEngine, build_engine, build_isolated_engine
from face_det.errors import BadImage
from face_det.media import load_image
from face_det.types import Box, Face, Reason, Rgb

OPTIONS = EngineOptions(embedder="sface", upsample=0)


@pytest.fixture(scope="module")
def isolated() -> FaceEngine:
    """An engine in a process of its own."""
    return build_isolated_engine(OPTIONS, 1, 0)


@pytest.fixture(params=["here", "isolated"])
def engine(request: pytest.FixtureRequest, shared_networks: None) -> Iterator[FaceEngine]:
    """Either kind of engine."""
    if request.param == "here":
        yield build_engine(OPTIONS)
    else:
        yield request.getfixturevalue("isolated")


@pytest.fixture(scope="module")
def group(small_photos: dict[str, Path]) -> Rgb:
    """Two people side by side, RGB uint8."""
    left, right = (load_image(small_photos[name]) for name in ("obama", "biden"))
    rows = min(left.shape[0], right.shape[0])
    return np.hstack([left[:rows], right[:rows]])


def same(one: Face, other: Face) -> bool:
    """Tell whether two faces are equal, but for what rounding does."""
    assert one.encoding is not None
    assert other.encoding is not None
    measured = [(face.score, face.focus, face.norm, face.quality) for face in (one, other)]
    return (
        np.allclose(np.array(measured[0], float), np.array(measured[1], float), rtol=1e-3)
        and one.box == other.box
        and float(one.encoding @ other.encoding) > 0.9999
    )


def test_finding_and_encoding_is_what_run_does(engine: FaceEngine, group: Rgb) -> None:
    """The faces are the same; before they are encoded they have neither an encoding nor a reason."""
    (expected,) = engine.run([(group, None)]).faces
    found = engine.find(group)
    assert [face.box for face in found] == [face.box for face in expected]
    assert all(face.encoding is None and face.reason is None for face in found)
    assert len(found) == 2
    encoded = engine.encode(group, found[1:])
    assert len(encoded) == 1
    assert same(encoded[0], expected[1])


def test_only_regions_are_searched(engine: FaceEngine, group: Rgb) -> None:
    """A face outside of them is not found, and one inside is where it is in the whole image."""
    whole = sorted(engine.find(group), key=lambda face: face.box.xmin)
    right = whole[1].box
    margin = right.width
    region = Box(right.xmin - margin, right.ymin - margin, right.xmax + margin, right.ymax + margin)
    (found,) = engine.find(group, [region], from_px=right.width / 2)
    assert np.allclose(
        [found.box.xmin, found.box.ymin, found.box.xmax, found.box.ymax],
        [right.xmin, right.ymin, right.xmax, right.ymax],
        atol=0.15 * right.width,
    )
    assert engine.find(group, [Box(-50, -50, -10, -10)]) == ()
    assert engine.find(group, []) == ()


def test_landmarks_are_kept(shared_networks: None, group: Rgb) -> None:
    """They are in pixels of the image, so that encoding a face later aligns it as `run` did."""
    engine = build_engine(EngineOptions(detector="yunet", embedder="sface", upsample=0))
    (expected,) = engine.run([(group, None)]).faces
    found = engine.find(group, [Box(20, 10, group.shape[1], group.shape[0])])
    assert all(
        face.landmarks is not None
        and (face.landmarks >= [face.box.xmin, face.box.ymin]).all()
        and (face.landmarks <= [face.box.xmax, face.box.ymax]).all()
        for face in found
    )
    assert same(engine.encode(group, engine.find(group)[:1])[0], expected[0])


def test_a_face_with_a_reason_is_not_encoded(engine: FaceEngine, group: Rgb) -> None:
    """Who is too small stays too small."""
    strict = engine.with_options(EngineOptions(embedder="sface", upsample=0, min_face_px=5000))
    (first, *_) = found = strict.find(group)
    assert first.reason is Reason.TOO_SMALL
    assert [face.encoding for face in strict.encode(group, found)] == [None] * len(found)


def test_a_picture_that_kills_is_a_bad_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that crashes one process after another is refused, and the next one is searched."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "support"))
    engine = build_isolated_engine(EngineOptions(), 1, 0, made_by="doomed_engine:build")
    killer = load_image(picture(tmp_path, CRASH))
    with pytest.raises(BadImage, match="crashed the process"):
        engine.find(killer)
    (found,) = engine.find(load_image(picture(tmp_path, 0, 7)))
    assert found.box == Box(7, 0, 40, 40)
