"""The quarantine's journal: a line of JSON for each photo, written before the photo moves.

Photos that the journal does not list are found by their place.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from face_det.errors import DataError
from face_det.storage import copy_owner, read_if_present, report_write_errors, sync_folder

QUARANTINE_FOLDER = ".quarantine"
JOURNAL_NAME = "journal.jsonl"
REASON_NOT_NOTED = "not noted"
"""The reason given for a photo that the journal does not list."""


@dataclass(frozen=True, slots=True)
class QuarantinedPhoto:
    """A photo in quarantine: the batch it was moved in, its old and new path relative to the dataset,
    and the reason for it."""

    batch: str
    source: PurePosixPath
    place: PurePosixPath
    why: str


def is_photo_path(path: PurePosixPath) -> bool:
    """Return True for a path of the form NAME/FILE, neither of them hidden.

    >>> is_photo_path(PurePosixPath("anna/1.jpg")), is_photo_path(PurePosixPath("../1.jpg"))
    (True, False)
    """
    return (
        not path.is_absolute()
        and len(path.parts) == 2
        and not any(part.startswith(".") for part in path.parts)
    )


def quarantine_path(batch: str, source: PurePosixPath) -> PurePosixPath:
    """Return the path of a quarantined photo, relative to the dataset.

    >>> str(quarantine_path("20260131-120000-0a1b2c3d", PurePosixPath("anna/1.jpg")))
    '.quarantine/20260131-120000-0a1b2c3d/anna/1.jpg'
    """
    return PurePosixPath(QUARANTINE_FOLDER, batch, *source.parts)


def list_entries(dataset: Path) -> list[QuarantinedPhoto]:
    """Return every photo in quarantine, oldest first, and whatever else the journal lists.

    Photos that are not listed come first: a line is written before its photo moves, so an earlier
    journal was lost. Raises DataError for a damaged journal, or a folder that cannot be read.

    >>> list_entries(Path("no such folder"))
    []
    """
    # In this order, because a photo that is being quarantined right now gets its line before it moves.
    present = list(_scan_photos(dataset))
    listed = read_journal(dataset / QUARANTINE_FOLDER / JOURNAL_NAME)
    known = {entry.place for entry in listed}
    return [entry for entry in present if entry.place not in known] + listed


def list_batches(dataset: Path) -> list[Path]:
    """Return the folder of each batch in quarantine. Raises DataError for a folder that cannot be read.

    >>> list_batches(Path("no such folder"))
    []
    """
    return _list_folders(dataset / QUARANTINE_FOLDER)


def list_person_folders(dataset: Path) -> list[Path]:
    """Return the folders of people in quarantine, one for each batch, including empty ones.

    Raises DataError for a folder that cannot be read.

    >>> list_person_folders(Path("no such folder"))
    []
    """
    return [folder for batch in list_batches(dataset) for folder in _list_folders(batch)]


def _list_folders(above: Path) -> list[Path]:
    return [path for path in _list_folder(above) if path.is_dir() and not path.is_symlink()]


def _scan_photos(dataset: Path) -> Iterator[QuarantinedPhoto]:
    """Find the photos by where they are."""
    for folder in list_person_folders(dataset):
        for path in _list_folder(folder):
            source = PurePosixPath(folder.name, path.name)
            if is_photo_path(source) and (path.is_symlink() or not path.is_dir()):
                batch = folder.parent.name
                yield QuarantinedPhoto(batch, source, quarantine_path(batch, source), REASON_NOT_NOTED)


def _list_folder(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"{folder}: must be a readable folder, got {error.strerror}") from error


def append_entry(folder: Path, entry: QuarantinedPhoto) -> None:
    """Append a line to the journal; it is on disk when this returns.

    A line that a kill cut short is ended first. Raises CannotWrite if the line cannot be written.
    """
    with report_write_errors(folder / JOURNAL_NAME):
        descriptor = os.open(
            folder / JOURNAL_NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            size = os.fstat(descriptor).st_size
            if not size:
                copy_owner(descriptor, folder.stat())
            cut_short = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            line = (b"\n" if cut_short else b"") + format_entry(entry).encode()
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(folder)


def format_entry(entry: QuarantinedPhoto) -> str:
    """Return the journal's line for a photo.

    >>> source = PurePosixPath("anna/1.jpg")
    >>> format_entry(QuarantinedPhoto("1", source, quarantine_path("1", source), "blurry"))
    '{"move": "1", "from": "anna/1.jpg", "to": ".quarantine/1/anna/1.jpg", "why": "blurry"}\\n'
    """
    values = {"move": entry.batch, "from": str(entry.source), "to": str(entry.place), "why": entry.why}
    return json.dumps(values) + "\n"


def read_journal(path: Path) -> list[QuarantinedPhoto]:
    """Return the entries of a journal; an empty list if there is no journal.

    Raises DataError if it is not a journal of face-det.

    >>> read_journal(Path("no such file"))
    []
    """
    found = []
    for text in (read_if_present(path, 2**30) or b"").splitlines():
        try:
            content = json.loads(text)
        except ValueError:
            continue  # cut short: its move did not happen
        except RecursionError as error:
            raise DataError(
                f"{path}: must be a journal of face-det, got {text[:80]!r}; move it away"
            ) from error
        found.append(_parse_entry(path, content))
    return found


def _parse_entry(path: Path, content: Any) -> QuarantinedPhoto:
    """Check and convert the content of a line, whose paths must not lead anywhere else."""
    if isinstance(content, dict) and all(
        isinstance(content.get(key), str) for key in ("move", "from", "to", "why")
    ):
        entry = QuarantinedPhoto(
            content["move"], PurePosixPath(content["from"]), PurePosixPath(content["to"]), content["why"]
        )
        plain = entry.batch not in ("", ".", "..") and "/" not in entry.batch
        if (
            plain
            and is_photo_path(entry.source)
            and entry.place == quarantine_path(entry.batch, entry.source)
        ):
            return entry
    raise DataError(f"{path}: must be a journal of face-det, got {str(content)[:80]!r}; move it away")
