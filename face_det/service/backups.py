"""Backups: a zip of everything that an installation has learnt, in statePath/backups."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from face_det import __version__
from face_det.enrolment import OWN_BACKUP_SUFFIX, Paths
from face_det.errors import BadRequest, CannotWrite, DataError
from face_det.gallery import list_photos, list_recordings, photo_name
from face_det.service import wire
from face_det.service.access import Access
from face_det.sightings import copy_sightings
from face_det.storage import lock_for_update, make_folder, read_files, report_write_errors, sync_folder

log = logging.getLogger(__name__)

FORMAT = 1
MANIFEST = "backup.json"
"""The file in the archive that lists the others."""
NAMED = ("encodings", "model", "labels")
"""The files whose names the configuration decides; the manifest tells them."""
MAX_CHUNK = 4 * 2**20
"""The most bytes that one call reads."""
CHUNK_BYTES = 2**20
RESERVE_BYTES = 64 * 2**20
"""A backup leaves at least this much room on the disk."""
_ID = re.compile(r"\d{8}T\d{6}(\d{6})?Z-[0-9a-f]{8}(-auto)?")
OWN_KEPT = 3
"""How many of the backups are kept that nobody asked for."""
_PHOTO_FOLDERS = ("dataset/", "quarantine/")
_STARTED = ".face_det-backup-"


class Backups:
    """Answers `backup`, `backups`, `read_backup` and `drop_backup`. One backup is made at a time.

    `others` are further files to keep, by their names in the archive; those that do not exist are left out.
    """

    def __init__(self, access: Access, folder: Path, others: Mapping[str, Path]) -> None:
        self._access = access
        self.folder = folder
        self.others = others

    def backup(self, options: object = None) -> dict[str, Any]:
        """Make a backup, of the sightings as well if `options.sightings` says so; return id, bytes, sha256.

        Raises CannotWrite if the disk has not enough room for it; nothing is left of it then.
        """
        given = wire.require_options(options, known=("sightings",))
        if not isinstance(given.get("sightings", False), bool):
            raise BadRequest(f"options.sightings: must be true or false, got {given['sightings']!r:.60}")
        with self._access.learning, lock_for_update(self._access.enroller.paths.encodings):
            path = self._make("", sightings=bool(given.get("sightings")))
        return self._describe(path)

    def make_own(self, others: Mapping[str, Path] | None = None) -> str:
        """Make a backup of everything before it is replaced, and of `others`; return its id.

        The caller holds both locks. Of such backups three are kept: this one, the last ones with other
        photos, and then the last ones. Raises CannotWrite.
        """
        made = self._make("-auto", sightings=True, more=others)
        own = sorted(self.folder.glob(f"*{OWN_BACKUP_SUFFIX}"), reverse=True)
        for old in _most_worth_keeping([made, *(path for path in own if path != made)])[OWN_KEPT:]:
            with report_write_errors(old, "it is kept"):
                old.unlink(missing_ok=True)
        return made.stem

    def _make(self, mark: str, *, sightings: bool, more: Mapping[str, Path] | None = None) -> Path:
        with report_write_errors(self.folder, "it must be a writable folder"):
            make_folder(self.folder)
        for left in self.folder.glob(f"{_STARTED}*"):
            left.unlink(missing_ok=True)  # of a process that was killed
        now = datetime.now(timezone.utc)
        # Down to the microsecond, so that the names tell which of two is newer.
        identifier = f"{now:%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}{mark}"
        target, started = self._path(identifier), self.folder / f"{_STARTED}{identifier}"
        copy = started.with_name(f"{started.name}.sqlite")
        others = {**self.others, "sightings.sqlite": copy, **(more or {})}
        try:
            if sightings:
                self._copy_sightings(copy)
            with report_write_errors(target):
                self._write(started, now, others)
                started.replace(target)
                sync_folder(self.folder)
        finally:
            for path in (started, copy):
                path.unlink(missing_ok=True)
        return target

    def backups(self) -> list[dict[str, Any]]:
        """Return the backups that are kept, the newest first: id and bytes."""
        found = sorted(self.folder.glob("*.zip"), reverse=True) if self.folder.is_dir() else []
        kept = []
        for path in found:
            # One that is dropped meanwhile is not listed.
            with suppress(FileNotFoundError):
                if _ID.fullmatch(path.stem):
                    kept.append({"id": path.stem, "bytes": path.stat().st_size})
        return kept

    def read_backup(self, identifier: object, offset: object, length: object) -> bytes:
        """Return up to `length` bytes of a backup from `offset` on; none at its end. Raises BadRequest."""
        path = self._require(identifier)
        start, most = _require_count(offset, "offset", 2**62), _require_count(length, "length", MAX_CHUNK)
        try:
            with path.open("rb") as file:
                file.seek(start)
                return file.read(most)
        except OSError as error:
            raise DataError(f"{path}: must be a readable file, got {error.strerror}") from error

    def drop_backup(self, identifier: object) -> dict[str, Any]:
        """Delete a backup; raises BadRequest if there is none of that id."""
        path = self._require(identifier)
        with report_write_errors(path, "it is kept"):
            path.unlink()
            sync_folder(self.folder)
        return {"id": path.stem}

    def _path(self, identifier: str) -> Path:
        return self.folder / f"{identifier}.zip"

    def _require(self, identifier: object) -> Path:
        if isinstance(identifier, str) and _ID.fullmatch(identifier) and self._path(identifier).is_file():
            return self._path(identifier)
        ids = ", ".join(one["id"] for one in self.backups()[:5])
        menu = f"one of {ids}" if ids else "a backup's id, but there is no backup"
        raise BadRequest(f"id: must be {menu}, got {identifier!r:.60}")

    def _copy_sightings(self, copy: Path) -> None:
        memory, state = self._access.memory, self._access.state
        if memory is not None:
            memory.store.write(lambda connection: None)  # what was seen until now is recorded first
        if state is not None:
            copy_sightings(state, copy)

    def _write(self, path: Path, now: datetime, others: Mapping[str, Path]) -> None:
        """Write the archive: all files, then the manifest with their checksums."""
        paths = self._access.enroller.paths
        sources = [*_files(paths, others)]
        needed = sum(len(one) if isinstance(one, bytes) else one.stat().st_size for _, one in sources)
        free = shutil.disk_usage(self.folder).free
        if needed + RESERVE_BYTES > free:
            raise CannotWrite(
                f"{self.folder}: a backup takes {needed // 10**6 + 1} MB and must leave "
                f"{RESERVE_BYTES // 10**6} MB free, got {free // 10**6} MB; make room, or delete a backup"
            )
        sums: dict[str, str] = {}
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for name, source in sources:
                    sums[name] = _add(archive, name, source)
                names = {key: getattr(paths, key).name for key in NAMED}
                about: dict[str, Any] = {"format": FORMAT, "version": __version__, "at": now.isoformat()}
                about |= {"files": names, "sha256": sums}
                archive.writestr(MANIFEST, json.dumps(about, indent=1, ensure_ascii=False))
            file.flush()
            os.fsync(file.fileno())

    def _describe(self, path: Path) -> dict[str, Any]:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
        return {"id": path.stem, "bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _most_worth_keeping(newest_first: list[Path]) -> list[Path]:
    """Return backups in the order in which they are kept: the newest, then those with photos of their own.

    Without it a second "Delete everything", of nobody, would crowd out the backup of everybody.
    """
    seen: set[frozenset[tuple[str, int]]] = {frozenset()}
    others: list[Path] = []
    again: list[Path] = []
    for path in newest_first:
        photos = _list_photos_in(path)
        (again if photos in seen else others).append(path)
        seen.add(photos)
    newest = newest_first[:1]
    return newest + [path for path in others + again if path not in newest]


def _list_photos_in(path: Path) -> frozenset[tuple[str, int]]:
    """Return the photos in a backup, by name and checksum; none if it is no longer intact."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [one for one in archive.infolist() if one.filename.startswith(_PHOTO_FOLDERS)]
    except (OSError, zipfile.BadZipFile):
        return frozenset()
    return frozenset((one.filename, one.CRC) for one in entries)


def _files(paths: Paths, others: Mapping[str, Path]) -> Iterator[tuple[str, Path | bytes]]:
    """Yield the name in the archive, and the file, or the content of one that must fit the others."""
    for name, photos in list_photos(paths.dataset).items():
        for photo in photos:
            # A file's name may hold bytes that are no text.
            text = photo.name.encode("utf-8", "backslashreplace").decode()
            if photo.is_file():
                yield f"dataset/{name}/{text}", photo
    for name, recordings in list_recordings(paths.dataset, warn=False).items():
        for recording in recordings:
            yield f"dataset/{name}/{photo_name(recording)}", recording
    beside = [path for path in paths.model.parent.glob("*_face_recognizer.pickle") if path.is_file()]
    found = read_files({paths.encodings, paths.labels, paths.model, *paths.voices.files, *beside})
    for path, data in sorted(found.items()):
        if data is not None:
            yield path.name, data
    for name, path in others.items():
        if path.is_file():
            yield name, path


def _add(archive: zipfile.ZipFile, name: str, source: Path | bytes) -> str:
    """Add a file to the archive; return its sha256 in hex."""
    digest = hashlib.sha256()
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o600 << 16
    with (
        archive.open(entry, "w", force_zip64=True) as target,
        io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
    ):
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _require_count(value: object, place: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise BadRequest(f"{place}: must be a whole number from 0 to {most}, got {value!r:.60}")
    return value
