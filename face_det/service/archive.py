"""Reads a zip made by `backup` as untrusted input: nothing in it is used unchecked."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from face_det.enrolment import VoicePaths
from face_det.errors import BadName, BadRequest
from face_det.gallery import check_person_name, is_photo_path
from face_det.service.backups import CHUNK_BYTES, FORMAT, MANIFEST, NAMED
from face_det.storage import MAX_PICKLE_BYTES, report_write_errors

VOICE_FILES = tuple(path.name for path in VoicePaths.beside(Path("encodings.pickle")).files)
MAX_ENTRIES = 300_000
MAX_DIRECTORY_BYTES = 48 * 2**20
"""The list of files at a zip's end may take so much: it is read as a whole."""
MAX_MANIFEST_BYTES = 64 * 2**20
MAX_PHOTO_BYTES = 2**30
MAX_SETTINGS_BYTES = 2**16
MAX_SIGHTINGS_BYTES = 2**40
MAX_RATIO = 20
"""Photos, encodings and sightings do not shrink by more than this."""
SPARE_BYTES = 16 * 2**20
SETTINGS = "settings.json"
SIGHTINGS = "sightings.sqlite"
_MODEL_END = "_face_recognizer.pickle"
_LOCAL_HEADER_BYTES = 30

_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError),
    *(OSError, ValueError, OverflowError),
)
"""What zipfile raises, depending on where an archive is damaged."""

PhotoPlace = tuple[str, str]
"""A person and the name of a photo's file."""


class Archive:
    """An archive whose list of files is checked when it is opened; `copy` checks what the files hold.

    `photos` maps a person and a file's name, and `files` a name such as encodings, labels, model,
    voice_encodings.pickle, knn_face_recognizer.pickle, settings.json or sightings.sqlite, to the entry.
    `left_out` names the entries that are never taken over. Everything raises BadRequest.
    """

    def __init__(self, file: IO[bytes], models: Collection[str]) -> None:
        """`models` names the files beside modelPath that may hold a model."""
        self._bytes = os.fstat(file.fileno()).st_size
        with _reading("archive"):
            self._zip = zipfile.ZipFile(_Bounded(file))
        self.photos: dict[PhotoPlace, zipfile.ZipInfo] = {}
        self.files: dict[str, zipfile.ZipInfo] = {}
        self.left_out: list[str] = []
        entries = self._check_entries()
        about = self._read_manifest(entries)
        self._sums: dict[str, str] = about["sha256"]
        named = {about["files"][key]: key for key in NAMED}
        for name, entry in entries.items():
            if name != MANIFEST:
                self._place(name, entry, named, models)

    @property
    def unpacked_bytes(self) -> int:
        """The declared size of everything that is restored."""
        return sum(entry.file_size for entry in (*self.photos.values(), *self.files.values()))

    def sums(self) -> dict[PhotoPlace, str]:
        """Return the sha256 of each photo."""
        return {place: self._sums[entry.filename] for place, entry in self.photos.items()}

    def copy(self, entry: zipfile.ZipInfo, target: Path) -> None:
        """Copy an entry to a new file that only its owner may read; raises CannotWrite, too."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with report_write_errors(target):
            descriptor = os.open(target, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:

            def write(chunk: bytes) -> None:
                with report_write_errors(target):
                    file.write(chunk)

            self._read(entry, write)
            with report_write_errors(target):
                file.flush()
                os.fsync(file.fileno())

    def check(self, entry: zipfile.ZipInfo) -> None:
        """Check an entry that is not restored."""
        self._read(entry, lambda chunk: None)

    def check_left_out(self) -> None:
        """Check what is not restored: a damaged archive is not a backup."""
        for name in self.left_out:
            self.check(self._zip.getinfo(name))

    def _read(self, entry: zipfile.ZipInfo, write: Callable[[bytes], None]) -> None:
        digest, count = hashlib.sha256(), 0
        for chunk in self._chunks(entry):
            count += len(chunk)
            if count > entry.file_size:
                raise _wrong(entry.filename, f"must hold the {entry.file_size} bytes it declares, got more")
            digest.update(chunk)
            write(chunk)
        if digest.hexdigest() != self._sums[entry.filename]:
            raise _wrong(entry.filename, f"must have the sha256 that {MANIFEST} says; the archive is damaged")

    def _chunks(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        with _reading(entry.filename):
            source = self._zip.open(entry)
        with source:
            while True:
                with _reading(entry.filename):
                    chunk = source.read(CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk

    def _check_entries(self) -> dict[str, zipfile.ZipInfo]:
        entries: dict[str, zipfile.ZipInfo] = {}
        listed = self._zip.infolist()
        if len(listed) > MAX_ENTRIES:
            raise _wrong("archive", f"must hold at most {MAX_ENTRIES} files, got {len(listed)}")
        for entry in listed:
            if entry.filename in entries or entry.filename != entry.orig_filename:
                raise _wrong(entry.orig_filename, "must be a name that occurs only once in the archive")
            entries[entry.filename] = entry
            _check_kind(entry)
        declared = sum(entry.file_size for entry in listed)
        if declared > MAX_RATIO * self._bytes + SPARE_BYTES:
            raise _wrong("archive", f"must unpack to under {MAX_RATIO} times its size, got {declared} bytes")
        end = 0
        for entry in sorted(listed, key=lambda one: one.header_offset):
            if entry.header_offset < end:
                raise _wrong(entry.filename, "must not share its bytes with another entry")
            end = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size
        return entries

    def _read_manifest(self, entries: dict[str, zipfile.ZipInfo]) -> dict[str, Any]:
        entry = entries.get(MANIFEST)
        if entry is None:
            raise _wrong(MANIFEST, "must be in the archive; only archives made by `backup` can be restored")
        if entry.file_size > MAX_MANIFEST_BYTES:
            raise _wrong(MANIFEST, f"must have at most {MAX_MANIFEST_BYTES} bytes, got {entry.file_size}")
        buffer = io.BytesIO()
        for chunk in self._chunks(entry):
            buffer.write(chunk)
        try:
            about = json.loads(buffer.getvalue())
        except (ValueError, RecursionError) as error:
            raise _wrong(MANIFEST, f"must be JSON, got {error}") from error
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            found = about.get("format") if isinstance(about, dict) else about
            raise _wrong(
                MANIFEST, f"must be of format {FORMAT}, got {found!r:.40}; it may come from a newer face-det"
            )
        sums, files = about.get("sha256"), about.get("files")
        if not isinstance(sums, dict) or {*sums} != {*entries} - {MANIFEST}:
            raise _wrong(MANIFEST, "must list the sha256 of every other file in the archive, and no more")
        if not isinstance(files, dict) or not all(isinstance(files.get(key), str) for key in NAMED):
            raise _wrong(MANIFEST, f"must name the files of {', '.join(NAMED)}")
        return about

    def _place(
        self, name: str, entry: zipfile.ZipInfo, named: dict[str, str], models: Collection[str]
    ) -> None:
        """Record where an entry belongs."""
        if name.startswith("dataset/"):
            self.photos[_photo_place(name)] = _bounded(entry, MAX_PHOTO_BYTES)
        elif name in named:
            self.files[named[name]] = _bounded(entry, MAX_PICKLE_BYTES)
        elif name in models or name in VOICE_FILES:
            self.files[name] = _bounded(entry, MAX_PICKLE_BYTES)
        elif name == SETTINGS:
            self.files[name] = _bounded(entry, MAX_SETTINGS_BYTES)
        elif name == SIGHTINGS:
            self.files[name] = _bounded(entry, MAX_SIGHTINGS_BYTES)
        elif name == "config.json" or name.startswith("quarantine/") or _is_other_model(name):
            self.left_out.append(name)
        else:
            raise _wrong(name, "must be a file that backups contain")


class _Bounded(io.RawIOBase):
    """A file that refuses large reads, as zipfile would do for the list of files."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            size = os.fstat(self._file.fileno()).st_size - self._file.tell()
        if size > MAX_DIRECTORY_BYTES:
            raise ValueError(f"its list of files must take at most {MAX_DIRECTORY_BYTES} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _check_kind(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.is_dir() or kind not in (0, stat.S_IFREG):
        raise _wrong(entry.filename, "must be a plain file, got a folder, a link or something else")
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _wrong(entry.filename, "must be stored or deflated, and not encrypted")


def _photo_place(name: str) -> PhotoPlace:
    """Return the person and the file of dataset/NAME/FILE; raise BadRequest for any other path."""
    path = PurePosixPath(name)
    if path.as_posix() != name or "\0" in name or not is_photo_path(path.relative_to("dataset")):
        raise _wrong(name, "must be of the form dataset/NAME/FILE")
    person, file = path.parts[1:]
    try:
        composed = check_person_name(person)
    except BadName as error:
        raise _wrong(name, str(error)) from error
    if composed != person or len(file.encode()) > 255:
        raise _wrong(name, "must be in Unicode's composed form (NFC), with a file name of at most 255 bytes")
    return person, file


def _is_other_model(name: str) -> bool:
    return "/" not in name and name.endswith(_MODEL_END)


def _bounded(entry: zipfile.ZipInfo, most: int) -> zipfile.ZipInfo:
    if entry.file_size > most:
        raise _wrong(entry.filename, f"must have at most {most} bytes, got {entry.file_size}")
    return entry


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn whatever zipfile raises for a damaged archive into BadRequest."""
    try:
        yield
    except _DAMAGE as error:
        wanted = "must be intact, as `face-det backup` wrote it" if name == "archive" else "must be intact"
        raise _wrong(name, f"{wanted}, got: {' '.join(str(error).split())[:120]}") from error


def _wrong(name: str, what: str) -> BadRequest:
    place = "archive" if name == "archive" else f"archive: {name[:120]!a}"
    return BadRequest(f"{place}: {what}; nothing was changed")
