"""Whose face is meant, what is kept, and photos made worse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fake_engine
import numpy as np
import pytest
from fake_engine import Act, picture

from face_det.engine.engine import Engine, EngineOptions
from face_det.gallery.encoding_cache import EncodingCache, OmissionReason
from face_det.gallery.portraits import UNCHANGED_PHOTO, choose_main_face, encode_portraits
from face_det.types import Box, Face, Reason, Rgb


def face(xmin: float, ymin: float, size: float, reason: Reason | None = None) -> Face:
    return Face(Box(xmin, ymin, xmin + size, ymin + size), 1.0, 0.0, reason, None)


class Lab:
    """A fake engine that counts, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.detector = fake_engine.FakeDetector()
        self.engine = Engine(
            self.detector, fake_engine.FakeEmbedder(), EngineOptions(min_face_px=20, focus_threshold=1e9)
        )
        self.cache = EncodingCache(folder / "cache.sqlite")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.cache.close()


def test_the_middle_beats_the_edge_and_size_beats_both() -> None:
    """In a photo of 250 x 250; what is too small is nobody."""
    middle, corner, huge = face(100, 100, 50), face(0, 0, 60), face(0, 0, 200)
    assert choose_main_face([corner, middle], 250, 250) is middle
    assert choose_main_face([corner, middle, huge], 250, 250) is huge
    assert choose_main_face([face(100, 100, 50, Reason.TOO_SMALL), corner], 250, 250) is corner
    assert choose_main_face([face(100, 100, 9, Reason.TOO_SMALL)], 250, 250) is None


def test_outcomes_and_the_cache(tmp_path: Path, lab: Lab) -> None:
    """One face, several, none, too small, no picture; the second time nothing is looked at."""
    good = picture(tmp_path / "good.png", faces=1, seed=1)
    several = picture(tmp_path / "several.png", faces=3, seed=2)
    empty = picture(tmp_path / "empty.png", faces=0)
    small = picture(tmp_path / "small.png", size=10)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    photos = [good, several, empty, small, broken, tmp_path / "missing.jpg"]
    progress: list[tuple[int, int]] = []
    found = encode_portraits(photos, lab.engine, lab.cache, on_progress=lambda *at: progress.append(at))
    assert [found[path, UNCHANGED_PHOTO].reason for path in photos] == [
        None,
        None,
        OmissionReason.NO_FACE,
        OmissionReason.TOO_SMALL,
        OmissionReason.BAD_IMAGE,
        OmissionReason.BAD_IMAGE,
    ]
    assert found[good, UNCHANGED_PHOTO].encoding is not None
    assert progress[-1] == (6, 6)
    looked_at = lab.detector.looked_at
    again = encode_portraits(photos, lab.engine, lab.cache)
    assert lab.detector.looked_at == looked_at
    assert np.array_equal(again[good, UNCHANGED_PHOTO].encoding, found[good, UNCHANGED_PHOTO].encoding)


def test_changes(tmp_path: Path, lab: Lab) -> None:
    """A change gets picture and face; it is kept by its name; without a face there is none to change."""
    good, empty = picture(tmp_path / "good.png", seed=1), picture(tmp_path / "empty.png", faces=0)

    def worse(rgb: Rgb, face: Face) -> Rgb:
        assert face.box.width == 40
        changed = rgb.copy()
        changed[1, 0] = 200
        return changed

    def gone(rgb: Rgb, face: Face) -> Rgb:
        return np.zeros_like(rgb)

    changes = {"worse": worse, "gone": gone}
    encode_portraits([good], lab.engine, lab.cache)
    found = encode_portraits([good, empty], lab.engine, lab.cache, changes=changes)
    assert not np.array_equal(found[good, "worse"].encoding, found[good, UNCHANGED_PHOTO].encoding)
    assert found[good, "gone"].reason is OmissionReason.NO_FACE
    assert found[empty, "worse"].reason is OmissionReason.NO_FACE
    looked_at = lab.detector.looked_at
    encode_portraits([good, empty], lab.engine, lab.cache, changes=changes)
    assert lab.detector.looked_at == looked_at


def test_many_photos_in_threads(tmp_path: Path, lab: Lab) -> None:
    """Each gets its own encoding, whichever thread made it."""
    photos = [picture(tmp_path / f"{seed}.png", seed=seed) for seed in range(40)]
    found = encode_portraits(photos, lab.engine, lab.cache, jobs=3)
    for seed, path in enumerate(photos):
        encoding = found[path, UNCHANGED_PHOTO].encoding
        assert encoding is not None
        assert encoding[3] == pytest.approx(seed / 256 + 1)


def test_a_network_that_fails_stops_it(tmp_path: Path, lab: Lab) -> None:
    """With its own error; what was done before is kept."""
    fine = picture(tmp_path / "0.png", seed=1)
    encode_portraits([fine], lab.engine, lab.cache)
    with pytest.raises(RuntimeError, match="does not like"):
        encode_portraits([fine, picture(tmp_path / "1.png", act=Act.RAISE)], lab.engine, lab.cache, jobs=2)
