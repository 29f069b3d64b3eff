"""Replaces everybody's photos, the model's files, the settings and the memory, completely or not at all.

What comes in lies beside what is there, complete and on disk: photos in a hidden folder of the dataset, the
other files in statePath/restore. Writing the journal there is the moment of decision. The steps that follow
can each be repeated, so whoever finds the journal after a kill goes on with them, under the same lock.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face_det.enrolment import (
    ModelHistory,
    Paths,
    find_other_models,
    keep_originals,
    model_file_candidates,
    open_photo_journal,
    remove_copies,
)
from face_det.errors import DataError
from face_det.gallery import EncodingCache, delete_quarantined, list_quarantined, person_folder
from face_det.service.memory import Memory
from face_det.service.person_data import KEEP_ALL
from face_det.service.unfinished import JOURNAL, STAGED
from face_det.service.uploads import UPLOAD_MARKS
from face_det.sightings import (
    SYSTEM_CLOCKS,
    SightingStore,
    erase_everything,
    has_sightings,
    take_over_sightings,
)
from face_det.storage import (
    make_folder,
    read_files,
    replace_files,
    report_write_errors,
    sync_folder,
    write_atomically,
)

log = logging.getLogger(__name__)

STAGED_PHOTOS = ".face_det-restore"
"""The folder in the dataset; enrolment skips hidden ones."""
SETTINGS = "settings.json"
SIGHTINGS = "sightings.sqlite"
TAKE_OVER = "take_over"
ERASE = "erase"


@dataclass(frozen=True, slots=True)
class Change:
    """The content of the journal: the photos to be removed, as their folders and names in the dataset.

    `clear` says that nobody is to be left. `settings` says whether the settings are replaced, `sightings`
    what becomes of the memory: taken over, erased, or None. `hashes` are the sha256 of the new photos. `done`
    counts the steps that are done.
    """

    leaving: tuple[tuple[str, str], ...]
    clear: bool
    settings: bool
    sightings: str | None
    hashes: tuple[str, ...] = ()
    done: int = 0


def has_restore_leftovers(state: Path, dataset: Path) -> bool:
    """Return True if a restore or its upload left anything beside what is in use.

    >>> has_restore_leftovers(Path("no such folder"), Path("no such folder"))
    False
    """
    places = (state / STAGED, dataset / STAGED_PHOTOS)
    uploads = any(any((state / "backups").glob(f"{mark}*")) for mark in UPLOAD_MARKS)
    return uploads or any(os.path.lexists(place) for place in places)


class Replacement:
    """One replacement at a time. Whoever calls anything holds the lock on the encodings."""

    def __init__(self, paths: Paths, state: Path, settings: Path, history: ModelHistory | None) -> None:
        self._paths = paths
        self._state = state
        self._settings = settings
        self._history = history
        self.photos = paths.dataset / STAGED_PHOTOS
        self.staged = state / STAGED
        self.files = self.staged / "files"

    def begin(self) -> None:
        """Make empty folders for what comes in; raises CannotWrite."""
        self.discard()
        with report_write_errors(self.photos):
            make_folder(self.photos / "new")
            make_folder(self.photos / "old")
        with report_write_errors(self.staged):
            make_folder(self.files)

    def stage_photo(self, name: str, file: str) -> Path:
        """Return where a photo is put, in a folder that is there."""
        folder = self.photos / "new" / name
        with report_write_errors(folder):
            make_folder(folder)
        return folder / file

    def other_models(self) -> list[str]:
        """Return the names of files beside modelPath that may hold a model."""
        return [path.name for path in model_file_candidates(self._paths.model)[1:]]

    def stage_file(self, name: str) -> Path:
        """Return where a file of the model is put: one of the names in `files`."""
        return self.files / name

    def decide(self, change: Change) -> None:
        """Write the journal, once all that comes in is on disk; raises CannotWrite."""
        with report_write_errors(self.photos):
            new = self.photos / "new"
            for folder in [*new.iterdir(), new, self.photos, self.files, self.staged]:
                sync_folder(folder)
            sync_folder(self._paths.dataset)
        self._note(change)

    def finish(self, memory: Memory | None) -> None:
        """Take all steps that are not done yet. `memory` is the one in use, in this process.

        Raises CannotWrite, and DataError if the dataset is not there.
        """
        change = self._read()
        steps: tuple[Callable[[Change, Memory | None], None], ...] = (
            self._replace_files,
            self._move_photos,
            self._replace_sightings,
            self._clean,
        )
        for number in range(change.done, len(steps)):
            steps[number](change, memory)
            change = Change(**{**_fields(change), "done": number + 1})
            self._note(change)
        self.discard()

    def give_up(self) -> bool:
        """Cancel the decision if no file has been replaced yet; return whether that was possible."""
        change = self._read()
        wanted = self._files(change)
        if change.done or all(read_files(wanted)[path] == data for path, data in wanted.items()):
            return False
        self.discard()
        return True

    def discard(self) -> None:
        """Remove whatever lies beside; raises CannotWrite."""
        for folder in (self.photos, self.staged):
            with report_write_errors(folder, "remove it by hand"):
                if folder.is_dir():
                    shutil.rmtree(folder)

    def _replace_files(self, change: Change, memory: Memory | None) -> None:
        del memory
        self._require_photos()
        files = self._files(change)
        if change.clear:
            files |= dict.fromkeys(find_other_models(self._paths))
        else:
            files = keep_originals(files, self._paths)
        if self._history is not None:
            # They know people who may be gone; what was just backed up stays.
            files |= self._history.removing_all(backups=False)
        replace_files(files)

    def _files(self, change: Change) -> dict[Path, bytes | None]:
        paths = self._paths
        places = [*model_file_candidates(paths.model), paths.labels, paths.encodings, *paths.voices.files]
        targets = {self.files / path.name: path for path in places}
        if change.settings:
            targets[self.staged / SETTINGS] = self._settings
        staged = read_files(targets)
        return {path: staged[place] for place, path in targets.items()}

    def _move_photos(self, change: Change, memory: Memory | None) -> None:
        del memory
        self._require_photos()
        dataset = self._paths.dataset
        with report_write_errors(dataset, "the next start goes on with it"):
            for folder, file in change.leaving:
                kept = self.photos / "old" / folder / file
                if not os.path.lexists(kept) and os.path.lexists(dataset / folder / file):
                    kept.parent.mkdir(mode=0o700, exist_ok=True)
                    (dataset / folder / file).rename(kept)
            changed = {dataset / folder for folder, _ in change.leaving}
            # Also those whose photos a step that was cut off has moved.
            changed |= {person_folder(dataset, path.name) for path in (self.photos / "new").iterdir()}
            for source in sorted((self.photos / "new").glob("*/*")):
                theirs = person_folder(dataset, source.parent.name)
                make_folder(theirs)
                source.rename(_free_place(theirs / source.name))
            for path in changed:
                with suppress(FileNotFoundError):
                    sync_folder(path)
                with suppress(OSError):
                    path.rmdir()  # if nothing is left in it
            sync_folder(dataset)

    def _replace_sightings(self, change: Change, memory: Memory | None) -> None:
        nothing_to_erase = memory is None and not has_sightings(self._state)
        if change.sightings is None or (change.sightings == ERASE and nothing_to_erase):
            return
        with _opened(memory, self._state) as store:
            if change.sightings == ERASE:
                store.erase(lambda connection: erase_everything(connection, store.people, store.now()))
            else:
                source = self.staged / SIGHTINGS
                store.erase(lambda connection: take_over_sightings(connection, store.people, source))

    def _clean(self, change: Change, memory: Memory | None) -> None:
        """Remove what else is about the photos that left."""
        del memory
        paths = self._paths
        if paths.changes is not None:
            open_photo_journal(paths).erase_all()
        with EncodingCache(paths.cache) as cache:
            cache.keep_only(change.hashes, strictly=change.clear)
        if change.clear:
            for name in {entry.source.parts[0] for entry in list_quarantined(paths.dataset)}:
                delete_quarantined(paths.dataset, name)
            remove_copies(paths)

    def _require_photos(self) -> None:
        if not (self.photos / "old").is_dir():
            raise DataError(
                f"{self.photos}: a restore was interrupted, and its photos are missing; mount the dataset, "
                f"or remove {self.staged} and restore again"
            )

    def _note(self, change: Change) -> None:
        write_atomically(self.staged / JOURNAL, json.dumps(_fields(change)).encode())

    def _read(self) -> Change:
        path = self.staged / JOURNAL
        data = read_files([path], max_bytes=2**30)[path]
        try:
            fields: dict[str, Any] = json.loads(data or b"")
            leaving = tuple((str(folder), str(file)) for folder, file in fields.pop("leaving"))
            if any("/" in part or part in ("", ".", "..") for place in leaving for part in place):
                raise ValueError("a place outside the dataset")
            return Change(**{**fields, "leaving": leaving, "hashes": tuple(fields["hashes"])})
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path}: must be a journal of face-det, got {error}; move it away") from error


def _fields(change: Change) -> dict[str, Any]:
    return {name: getattr(change, name) for name in Change.__slots__}


def _free_place(place: Path) -> Path:
    """Return a place that no file has: somebody may just have copied one there."""
    while os.path.lexists(place):
        place = place.with_name(f"{place.stem}-{secrets.token_hex(4)}{place.suffix}")
    return place


@contextmanager
def _opened(memory: Memory | None, state: Path) -> Iterator[SightingStore]:
    if memory is not None:
        yield memory.store
        return
    store = SightingStore(state, KEEP_ALL, SYSTEM_CLOCKS)
    store.open()
    try:
        yield store
    finally:
        store.close()
