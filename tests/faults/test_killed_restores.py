"""A restore that is killed anywhere leaves the old state or the new one, and loses nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from kill_points import run_killed

from face_det.enrolment import Enroller, ModelHistory
from face_det.gallery import Gallery, list_photos
from face_det.service import Backups, Restores, is_unfinished
from face_det.service.access import Access
from face_det.service.replacement import Replacement
from face_det.storage import lock_for_update

CALLS = [(os, name) for name in ("open", "fsync", "close", "link", "unlink", "rename", "replace", "rmdir")]
CALLS += [(Path, name) for name in ("replace", "unlink", "rmdir", "mkdir", "rename")]
STEP = 23
"""One in so many of the moments is tried: each file is written in several of them."""


class Home:
    """Who restores in a folder, without a memory."""

    def __init__(self, enroller: Enroller, folder: Path) -> None:
        self._enroller = enroller
        self._state = folder / "state"
        history = ModelHistory(self._state / "models")
        self._enroller.history = history
        settings = self._state / "settings.json"

        def unused(source: object) -> None:
            raise AssertionError(source)

        access = Access(
            enroller,
            threading.Lock(),
            unused,
            lambda recognizer: None,
            unused,
            None,
            self._state,  # type: ignore[arg-type]
        )
        self.backups = Backups(access, self._state / "backups", {"settings.json": settings})
        self.restores = Restores(access, self.backups, settings, self._state)
        self._replacement = Replacement(enroller.paths, self._state, settings, history)

    def write(self, data: bytes) -> None:
        """The archive that `restore` takes."""
        self.restores.write_restore("an-archive", 0, data)

    def restore(self) -> None:
        """Take it over."""
        self.restores.restore("an-archive")

    def clear(self) -> None:
        """Remove everybody."""
        self.restores.clear()

    def recover(self) -> None:
        """What the next start does."""
        with lock_for_update(self._enroller.paths.encodings):
            if is_unfinished(self._state):
                self._replacement.finish(None)
            self._replacement.discard()


def state(folder: Path) -> tuple[dict[str, list[str]], Counter[str], bool, str]:
    """Each person's photos by content, the encodings of each, whether there is a model, and the settings."""
    photos = {
        name: sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in some)
        for name, some in list_photos(folder / "dataset").items()
    }
    settings = folder / "state" / "settings.json"
    told = settings.read_text() if settings.exists() else ""
    return (
        photos,
        Counter(Gallery.load(folder / "encodings.pickle").names),
        (folder / "m.pickle").exists(),
        told,
    )


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["restore", "clear"])
def test_all_of_it_or_nothing(
    verb: str, tmp_path: Path, enroller: Callable[..., Enroller], people: Callable[..., None]
) -> None:
    """Killed with SIGKILL, then started again: photos, encodings, model and settings are of one moment."""
    base = tmp_path / "base"
    people(base, "anna", "bob", each=2)
    made = enroller(base)
    made.train(kind=None, embedder=None, thorough=False, on_progress=lambda *_: None)
    (base / "state").mkdir()
    (base / "state" / "settings.json").write_text('{"falseAcceptRate": 0.01}')
    home = Home(made, base)
    data = home.backups.read_backup(home.backups.backup()["id"], 0, 2**22)
    new = state(base)
    people(base, "anna", "carl", each=1)
    (base / "dataset" / "anna" / "1-1.png").unlink(missing_ok=True)
    shutil.rmtree(base / "dataset" / "bob")
    made.train(kind=None, embedder=None, thorough=False, on_progress=lambda *_: None)
    (base / "state" / "settings.json").unlink()
    old = state(base)
    if verb == "clear":
        new = ({}, Counter(), False, "")
    outcomes = []
    for point in range(1, 100_000, STEP):
        folder = tmp_path / "tried"
        shutil.copytree(base, folder)
        tried = Home(enroller(folder), folder)
        tried.write(data)
        survived = run_killed(point, CALLS, tried.restore if verb == "restore" else tried.clear)
        Home(enroller(folder), folder).recover()
        found = state(folder)
        assert found in (old, new), f"killed at {point}"
        outcomes.append(found == new)
        assert not [*folder.glob("dataset/.face_det-*"), *folder.glob("state/restore")]
        shutil.rmtree(folder)
        if survived:
            break
    assert outcomes == sorted(outcomes), "once it is decided, it stays so"
    assert {*outcomes} == {False, True}
