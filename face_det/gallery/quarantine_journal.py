"""What was put aside: a line of JSON for each photo, written before it moves; and what lies there without."""

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
"""Why a photo was put aside of which the journal says nothing."""


@dataclass(frozen=True, slots=True)
class QuarantinedPhoto:
    """A photo in quarantine: which move took it there, where it was and where it is, relative to the
    dataset, and why."""

    batch: str
    source: PurePosixPath
    place: PurePosixPath
    why: str


def is_photo_path(path: PurePosixPath) -> bool:
    """Whether that is NAME/FILE, and neither hidden."""
    return (
        not path.is_absolute()
        and len(path.parts) == 2
        and not any(part.startswith(".") for part in path.parts)
    )


def quarantine_path(batch: str, source: PurePosixPath) -> PurePosixPath:
    """Where a move takes a photo, relative to the dataset."""
    return PurePosixPath(QUARANTINE_FOLDER, batch, *source.parts)


def list_entries(dataset: Path) -> list[QuarantinedPhoto]:
    """Every photo in quarantine, in the order in which they came, and what else the journal lists.

    What the journal does not list comes first, since every line is older than its photo: the journal of
    those was lost. Raises DataError for a spoilt journal, and for a folder that cannot be read.
    """
    # In this order, since a photo that is put aside right now has its line before it comes.
    lying = list(_scan_photos(dataset))
    listed = read_journal(dataset / QUARANTINE_FOLDER / JOURNAL_NAME)
    known = {aside.place for aside in listed}
    return [aside for aside in lying if aside.place not in known] + listed


def list_batches(dataset: Path) -> list[Path]:
    """The folder of each move in quarantine. Raises DataError for a folder that cannot be read."""
    return _list_folders(dataset / QUARANTINE_FOLDER)


def list_person_folders(dataset: Path) -> list[Path]:
    """The folders of people in quarantine, one for each move, also empty ones. Raises as batches does."""
    return [folder for batch in list_batches(dataset) for folder in _list_folders(batch)]


def _list_folders(above: Path) -> list[Path]:
    return [path for path in _list_folder(above) if path.is_dir() and not path.is_symlink()]


def _scan_photos(dataset: Path) -> Iterator[QuarantinedPhoto]:
    """Where each photo lies, and what that says of it."""
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
        raise DataError(f"{folder}: must be a folder that can be read, got {error.strerror}") from error


def append_entry(folder: Path, aside: QuarantinedPhoto) -> None:
    """A line of the journal, on disk before anything moves. A line that was cut off is closed first."""
    with report_write_errors(folder / JOURNAL_NAME):
        descriptor = os.open(
            folder / JOURNAL_NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            size = os.fstat(descriptor).st_size
            if not size:
                copy_owner(descriptor, folder.stat())
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            whole = (b"\n" if torn else b"") + format_entry(aside).encode()
            if os.write(descriptor, whole) < len(whole):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(folder)


def format_entry(aside: QuarantinedPhoto) -> str:
    """What the journal says of a photo."""
    values = {"move": aside.batch, "from": str(aside.source), "to": str(aside.place), "why": aside.why}
    return json.dumps(values) + "\n"


def read_journal(path: Path) -> list[QuarantinedPhoto]:
    """All lines of a journal; none if it is not there. DataError for one that is no journal of ours."""
    found = []
    for text in (read_if_present(path, 2**30) or b"").splitlines():
        try:
            content = json.loads(text)
        except ValueError:
            continue  # cut off: its move did not happen
        except RecursionError as error:
            raise DataError(
                f"{path}: must be a journal of face-det, got {text[:80]!r}; move it away"
            ) from error
        found.append(_parse_entry(path, content))
    return found


def _parse_entry(path: Path, content: Any) -> QuarantinedPhoto:
    """A line's content, which must not lead anywhere else."""
    if isinstance(content, dict) and all(
        isinstance(content.get(key), str) for key in ("move", "from", "to", "why")
    ):
        aside = QuarantinedPhoto(
            content["move"], PurePosixPath(content["from"]), PurePosixPath(content["to"]), content["why"]
        )
        plain = aside.batch not in ("", ".", "..") and "/" not in aside.batch
        if (
            plain
            and is_photo_path(aside.source)
            and aside.place == quarantine_path(aside.batch, aside.source)
        ):
            return aside
    raise DataError(f"{path}: must be a journal of face-det, got {str(content)[:80]!r}; move it away")
