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
from face_det.gallery.photo_faces import PhotoFaces, get_faces, put_faces
from face_det.gallery.portraits import (
    UNCHANGED_PHOTO,
    choose_main_face,
    choose_portrait,
    encode_portraits,
    find_faces,
)
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


def test_all_faces_of_a_photo(tmp_path: Path, lab: Lab) -> None:
    """With sizes and places, also of those too small; the second time nothing is looked at."""
    several = picture(tmp_path / "several.png", faces=3, seed=2)
    empty = picture(tmp_path / "empty.png", faces=0)
    small = picture(tmp_path / "small.png", size=10)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    photos = [several, empty, small, broken]
    changes = {"darker": lambda rgb, face: rgb // 2}
    found = find_faces(photos, lab.engine, lab.cache, changes=changes)
    assert [len(found[path, UNCHANGED_PHOTO].faces) for path in photos] == [3, 0, 1, 0]
    assert [found[path, "darker"].reason for path in photos] == [
        None,
        OmissionReason.NO_FACE,
        OmissionReason.TOO_SMALL,
        OmissionReason.BAD_IMAGE,
    ]
    assert found[small, "darker"].faces[0].reason is Reason.TOO_SMALL
    looked_at = lab.detector.looked_at
    again = find_faces(photos, lab.engine, lab.cache, changes=changes)
    assert lab.detector.looked_at == looked_at
    assert again.keys() == found.keys()
    for key, one in found.items():
        same = again[key]
        assert (one.width, one.height, one.reason) == (same.width, same.height, same.reason)
        for face, kept in zip(one.faces, same.faces, strict=True):
            assert (face.box, face.score, face.reason) == (kept.box, kept.score, kept.reason)
            assert (face.focus, face.norm, face.quality) == (kept.focus, kept.norm, kept.quality)
            assert np.array_equal(face.encoding, kept.encoding)


@pytest.mark.parametrize(
    ("reason", "content"),
    [
        (None, None),
        (None, b"abc"),
        ("no reason", np.zeros(3).tobytes()),
        (None, np.full(3, np.nan).tobytes()),
        (None, np.array([9.0, 9.0, 2.0, 1.0]).tobytes()),
        (None, np.array([9.0, 9.0, -1.0]).tobytes()),
    ],
)
def test_faces_that_are_not_ours(lab: Lab, reason: str | None, content: bytes | None) -> None:
    """Whatever a damaged cache holds, the photo is looked at again."""
    lab.cache.put_row("a hash", "settings", reason, content)
    assert get_faces(lab.cache, "a hash", "settings") is None


def test_the_portrait_is_one_of_the_faces(tmp_path: Path, lab: Lab) -> None:
    """Chosen from all faces afterwards, it is the one that is encoded as a portrait."""
    photos = [picture(tmp_path / f"{faces}.png", faces=faces, seed=faces) for faces in range(4)]
    changes = {"darker": lambda rgb, face: rgb // 2}
    portraits = encode_portraits(photos, lab.engine, lab.cache, changes=changes)
    for key, found in find_faces(photos, lab.engine, lab.cache, changes=changes).items():
        chosen = choose_portrait(found)
        assert chosen.reason == portraits[key].reason
        assert np.array_equal(chosen.encoding, portraits[key].encoding)


def test_what_the_cache_keeps_of_a_face(lab: Lab) -> None:
    """All that a decision may rest on, whether it is known or not."""
    box = Box(1.5, 2, 41.25, 52)
    known = Face(box, 0.9, 120.5, None, np.arange(128) / 7, norm=12.5, quality=0.25)
    small = Face(box, 0.7, 0.0, Reason.TOO_SMALL, None)
    put_faces(lab.cache, "a hash", "settings", PhotoFaces(640, 480, (known, small)))
    found = get_faces(lab.cache, "a hash", "settings")
    assert found is not None
    assert (found.width, found.height, found.reason) == (640, 480, None)
    for face, kept in zip((known, small), found.faces, strict=True):
        for name in ("box", "score", "focus", "reason", "norm", "quality"):
            assert getattr(face, name) == getattr(kept, name), name
        assert np.array_equal(face.encoding, kept.encoding)
