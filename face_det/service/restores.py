"""Restores a backup, or removes everybody: completely or not at all, after a backup of the present state."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from face_det.enrolment import Enroller
from face_det.errors import BadRequest, CannotWrite, FaceDetError
from face_det.gallery import Gallery, is_recording, list_photos, list_quarantined, list_recordings
from face_det.media import is_picture_file
from face_det.recognition import load_model
from face_det.service import wire
from face_det.service.access import Access
from face_det.service.archive import SETTINGS, SIGHTINGS, Archive, PhotoPlace
from face_det.service.backups import NAMED, RESERVE_BYTES, Backups
from face_det.service.rates import require_rate
from face_det.service.replacement import ERASE, TAKE_OVER, Change, Replacement
from face_det.service.unfinished import is_unfinished
from face_det.service.uploads import Uploads
from face_det.sightings import TRAINED, check_sightings
from face_det.storage import lock_for_update, read_json, report_write_errors
from face_det.types import UNKNOWN

log = logging.getLogger(__name__)

_INCOMING = "incoming.sqlite"
RATE_KEY = "falseAcceptRate"
"""The one setting that callers can change."""

_FAILURES = (FaceDetError, OSError, sqlite3.Error)
"""What a disk or a file may end in; anything else is a bug, which must not look like one of these."""


class Restores:
    """Answers `write_restore`, `restore` and `clear`."""

    def __init__(self, access: Access, backups: Backups, settings: Path, state: Path) -> None:
        """`settings` is the file of the settings that callers changed, `state` the folder of the memory."""
        self._access = access
        self._backups = backups
        self._state = state
        self._uploads = Uploads(backups.folder)
        enroller = access.enroller
        self._change = Replacement(enroller.paths, state, settings, enroller.history)

    def write_restore(self, identifier: object, offset: object, data: object) -> dict[str, Any]:
        """Append a part of an archive; return the id and the bytes so far."""
        return self._uploads.write(identifier, offset, data)

    def remove_old_uploads(self) -> None:
        """Remove uploads that were not restored within the hour."""
        self._uploads.remove_old()

    def restore(self, identifier: object, options: object = None) -> dict[str, Any]:
        """Restore an archive, from the next call on; return the id of the backup of the previous state.

        Raises BadRequest for an archive that is damaged or no backup, ModelMismatch and the like if its model
        does not fit, and CannotWrite; nothing was changed then.
        """
        given = wire.require_options(options, known=("sightings",))
        remember = _require_flag(given, "sightings", default=True)
        with self._uploads.taken(identifier) as path, path.open("rb") as file, self._alone():
            archive = Archive(file, self._change.other_models())
            self._require_room(archive)
            with self._beginning():
                seen = self._stage(archive, remember=remember)
                backup = self._backups.make_own()
                change = Change(
                    self._leaving(),
                    clear=False,
                    settings=True,
                    sightings=None if seen is None else TAKE_OVER,
                    hashes=tuple({*archive.sums().values()}),
                )
                self._change.decide(change)
            self._finish()
            people = len({name for name, _ in archive.photos} - {UNKNOWN})
            left_out = [*archive.left_out]
            if SIGHTINGS in archive.files and seen is None:
                left_out.append(SIGHTINGS)
            self._append_trained_event(people)
        recordings = sum(is_recording(Path(file)) for _, file in archive.photos)
        return {
            "backup": backup,
            "people": people,
            "photos": len(archive.photos) - recordings,
            **({"recordings": recordings} if recordings else {}),
            "sightings": seen,
            "left_out": sorted(left_out),
        }

    def clear(self, options: object = None) -> dict[str, Any]:
        """Remove everybody, and what was seen if `options.sightings` says so; return a backup, and counts.

        Photos in quarantine, which no other backup has, are in it as well. Raises CannotWrite.
        """
        given = wire.require_options(options, known=("sightings",))
        erase = _require_flag(given, "sightings", default=False)
        with self._alone():
            paths = self._access.enroller.paths
            photos = list_photos(paths.dataset)
            recordings = list_recordings(paths.dataset, warn=False)
            quarantined = {
                f"quarantine/{entry.batch}/{entry.source}": paths.dataset / entry.place
                for entry in list_quarantined(paths.dataset)
            }
            with self._beginning():
                backup = self._backups.make_own(quarantined)
                self._change.decide(
                    Change(self._leaving(), clear=True, settings=False, sightings=ERASE if erase else None)
                )
            self._finish()
            self._append_trained_event(0)
        people = len({*photos, *recordings} - {UNKNOWN})
        answer = {"backup": backup, "people": people, "photos": sum(map(len, photos.values()))}
        return {**answer, "recordings": sum(map(len, recordings.values()))} if recordings else answer

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._access.learning, lock_for_update(self._access.enroller.paths.encodings):
            if is_unfinished(self._state):
                self._finish()
            yield

    @contextmanager
    def _beginning(self) -> Iterator[None]:
        """Remove what was put beside if the body fails before the change is decided."""
        try:
            self._change.begin()
            yield
        except BaseException:
            if not is_unfinished(self._state):
                self._change.discard()
            raise

    def _finish(self) -> None:
        """Carry out the decided change, and use the result."""
        enroller = self._access.enroller
        try:
            self._change.finish(self._access.memory)
        except BaseException as error:
            if self._change.give_up():
                raise
            self._access.use(enroller.load())
            if not isinstance(error, _FAILURES):
                raise
            text = f"{error}; part of it is done; restart the daemon, which completes the rest"
            raise CannotWrite(text) from error
        self._access.use(enroller.load())

    def _append_trained_event(self, people: int) -> None:
        if self._access.memory is not None:
            self._access.memory.note(TRAINED, None, {"people": people})

    def _leaving(self) -> tuple[PhotoPlace, ...]:
        dataset = self._access.enroller.paths.dataset
        found = [*list_photos(dataset).values(), *list_recordings(dataset, warn=False).values()]
        return tuple((path.parent.name, path.name) for paths in found for path in paths)

    def _require_room(self, archive: Archive) -> None:
        # The files are written beside and then once more, and the memory is rebuilt.
        needed = 3 * archive.unpacked_bytes + RESERVE_BYTES
        for folder in (self._access.enroller.paths.dataset, self._state):
            there = next(path for path in (folder, *folder.parents) if path.exists())
            if (free := shutil.disk_usage(there).free) < needed:
                raise CannotWrite(
                    f"{folder}: a restore takes {needed // 10**6 + 1} MB, got {free // 10**6} MB; make room"
                )

    def _stage(self, archive: Archive, *, remember: bool) -> int | None:
        """Unpack and check everything; return how many sightings are taken over, None without a memory."""
        for (name, file), entry in archive.photos.items():
            target = self._change.stage_photo(name, file)
            archive.copy(entry, target)
            if not (is_recording(target) or is_picture_file(target)):
                wanted = "must be a picture or a recording"
                raise BadRequest(f"archive: {entry.filename!a:.120}: {wanted}; nothing was changed")
        archive.check_left_out()
        staged, paths = self._change.staged, self._access.enroller.paths
        for key, entry in archive.files.items():
            if key not in (SETTINGS, SIGHTINGS):
                name = getattr(paths, key).name if key in NAMED else key
                archive.copy(entry, self._change.stage_file(name))
        self._check_model()
        if SETTINGS in archive.files:
            archive.copy(archive.files[SETTINGS], staged / SETTINGS)
            _check_settings(staged / SETTINGS)
        if SIGHTINGS not in archive.files:
            return None
        if self._access.memory is None or not remember:
            archive.check(archive.files[SIGHTINGS])
            return None
        incoming = staged / _INCOMING
        archive.copy(archive.files[SIGHTINGS], incoming)
        count = check_sightings(incoming, staged / SIGHTINGS)
        with report_write_errors(incoming):
            incoming.unlink()
        return count

    def _check_model(self) -> None:
        """Raise what loading encodings and model would raise, before anything is changed."""
        enroller = self._access.enroller
        paths = enroller.paths
        encodings, model, labels = (
            self._change.stage_file(path.name) for path in (paths.encodings, paths.model, paths.labels)
        )
        Gallery.load(encodings)
        staged = replace(paths, encodings=encodings, model=model, labels=labels)
        Enroller(staged, enroller.engines, enroller.options).load()
        if staged.voices.encodings.exists():
            from face_det.voices import read_voices

            read_voices(staged.voices.encodings)
        if staged.voices.model.exists():
            load_model(staged.voices.model, staged.voices.labels)


def _check_settings(path: Path) -> None:
    """Raise BadRequest for settings with which the daemon would not start."""
    try:
        values = read_json(path)
    except ValueError as error:
        raise BadRequest(f"archive: {SETTINGS}: must be JSON, got {error}; nothing was changed") from error
    if not isinstance(values, dict) or not {*values} <= {RATE_KEY}:
        raise BadRequest(f"archive: {SETTINGS}: must be an object with only {RATE_KEY}; nothing was changed")
    if RATE_KEY in values:
        require_rate(values[RATE_KEY], f"archive: {SETTINGS}: {RATE_KEY}")


def _require_flag(given: Any, key: str, *, default: bool) -> bool:
    value = given.get(key, default)
    if not isinstance(value, bool):
        raise BadRequest(f"options.{key}: must be true or false, got {value!r:.60}")
    return value
