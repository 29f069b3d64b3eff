"""A change to people's photos that is killed anywhere is done or not done, and loses nothing."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from kill_points import run_killed

from face_det.enrolment import Enroller, PhotoPlans
from face_det.gallery import EncodingCache, Gallery, PersonPhoto, describe_photos, list_photos

CALLS = [(os, name) for name in ("open", "fsync", "close", "link", "unlink", "rename", "replace")]
CALLS += [(Path, name) for name in ("replace", "unlink", "rmdir", "mkdir")]
STEP = 11
"""One in so many of the moments is tried: each file is written in several of them."""


class Photos:
    """Who changes the photos in a folder."""

    def __init__(self, enroller: Enroller, folder: Path) -> None:
        self._enroller = enroller
        self._enroller.paths = replace(enroller.paths, changes=folder / "state" / "photos")
        self._plans = PhotoPlans(self._enroller.paths, self._describe)

    def merge(self) -> None:
        """Two people become one; a photo that both have goes into the journal."""
        self._enroller.change_photos(lambda gallery: self._plans.merge(["anna", "bob"], "carl", gallery))

    def undo(self) -> None:
        """The merger is undone."""
        self._enroller.change_photos(lambda gallery: self._plans.undo(1, gallery))

    def recover(self) -> None:
        """What the next start does."""
        self._enroller.recover_photos()

    def _describe(self, photos: Sequence[Path], name: str, gallery: Gallery) -> list[PersonPhoto]:
        engine = self._enroller.load().engine
        with EncodingCache(self._enroller.paths.cache) as cache:
            return describe_photos(photos, name, gallery, engine, cache)


def state(folder: Path) -> tuple[dict[str, int], Counter[str], list[str]]:
    """The photos of each person, the encodings of each, and what the journal keeps."""
    photos = {name: len(some) for name, some in list_photos(folder / "dataset").items()}
    kept = [str(path.relative_to(folder / "state")) for path in (folder / "state").rglob("*.png")]
    return photos, Counter(Gallery.load(folder / "encodings.pickle").names), kept


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["merge", "undo"])
def test_a_change_is_whole_or_put_back(
    verb: str, tmp_path: Path, enroller: Callable[..., Enroller], people: Callable[..., None]
) -> None:
    """Killed with SIGKILL, then started again: every photo is there once, and the encodings agree."""
    base = tmp_path / "base"
    people(base, "anna", "bob", "carl", each=2)
    shutil.copy(base / "dataset" / "bob" / "1-0.png", base / "dataset" / "carl" / "twice.png")
    made = enroller(base)
    made.train(kind=None, embedder=None, thorough=False, on_progress=lambda *_: None)
    after_merge = ({"carl": 6}, Counter(carl=6), ["photos/1/2.png"])
    before = ({"anna": 2, "bob": 2, "carl": 3}, Counter(anna=2, bob=2, carl=3), [])
    changes = Photos(made, base)
    if verb == "undo":
        changes.merge()
        assert state(base) == after_merge
    sides = [before, after_merge]
    expected = sides if verb == "merge" else sides[::-1]
    outcomes = []
    for point in range(1, 100_000, STEP):
        folder = tmp_path / "tried"
        shutil.copytree(base, folder)
        survived = run_killed(point, CALLS, getattr(Photos(enroller(folder), folder), verb))
        Photos(enroller(folder), folder).recover()
        found = state(folder)
        assert found in expected, f"killed at {point}"
        outcomes.append(expected.index(found))
        shutil.rmtree(folder)
        if survived:
            break
    assert outcomes == sorted(outcomes), "once it is done, it stays so"
    assert {*outcomes} == {0, 1}
    assert len(outcomes) > 5
