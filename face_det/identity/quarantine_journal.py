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
from face_det.identity import atomic

FOLDER = ".quarantine"
JOURNAL = "journal.jsonl"
NOT_NOTED = "not noted"
"""Why a photo was put aside of which the journal says nothing."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A photo in quarantine: which move took it there, where it was and where it is, relative to the
    dataset, and why."""

    batch: str
    source: PurePosixPath
    place: PurePosixPath
    why: str


def is_photo(path: PurePosixPath) -> bool:
    """Whether that is NAME/FILE, and neither hidden."""
    return (
        not path.is_absolute()
        and len(path.parts) == 2
        and not any(part.startswith(".") for part in path.parts)
    )


def place(batch: str, source: PurePosixPath) -> PurePosixPath:
    """Where a move takes a photo, relative to the dataset."""
    return PurePosixPath(FOLDER, batch, *source.parts)


def entries(dataset: Path) -> list[Aside]:
    """Every photo in quarantine, in the order in which they came, and what else the journal lists.

    What the journal does not list comes first, since every line is older than its photo: the journal of
    those was lost. Raises DataError for a spoilt journal, and for a folder that cannot be read.
    """
    # In this order, since a photo that is put aside right now has its line before it comes.
    lying = list(_lying(dataset))
    listed = read(dataset / FOLDER / JOURNAL)
    known = {aside.place for aside in listed}
    return [aside for aside in lying if aside.place not in known] + listed


def batches(dataset: Path) -> list[Path]:
    """The folder of each move in quarantine. Raises DataError for a folder that cannot be read."""
    return _folders(dataset / FOLDER)


def folders(dataset: Path) -> list[Path]:
    """The folders of people in quarantine, one for each move, also empty ones. Raises as batches does."""
    return [folder for batch in batches(dataset) for folder in _folders(batch)]


def _folders(above: Path) -> list[Path]:
    return [path for path in _inside(above) if path.is_dir() and not path.is_symlink()]


def _lying(dataset: Path) -> Iterator[Aside]:
    """Where each photo lies, and what that says of it."""
    for folder in folders(dataset):
        for path in _inside(folder):
            source = PurePosixPath(folder.name, path.name)
            if is_photo(source) and (path.is_symlink() or not path.is_dir()):
                batch = folder.parent.name
                yield Aside(batch, source, place(batch, source), NOT_NOTED)


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"{folder}: must be a folder that can be read, got {error.strerror}") from error


def note(folder: Path, aside: Aside) -> None:
    """A line of the journal, on disk before anything moves. A line that was cut off is closed first."""
    with atomic.reporting(folder / JOURNAL):
        descriptor = os.open(folder / JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if not size:
                atomic.give(descriptor, folder.stat())
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            whole = (b"\n" if torn else b"") + line(aside).encode()
            if os.write(descriptor, whole) < len(whole):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        atomic.sync(folder)


def line(aside: Aside) -> str:
    """What the journal says of a photo."""
    values = {"move": aside.batch, "from": str(aside.source), "to": str(aside.place), "why": aside.why}
    return json.dumps(values) + "\n"


def read(path: Path) -> list[Aside]:
    """All lines of a journal; none if it is not there. DataError for one that is no journal of ours."""
    found = []
    for text in (atomic.read(path, 2**30) or b"").splitlines():
        try:
            content = json.loads(text)
        except ValueError:
            continue  # cut off: its move did not happen
        except RecursionError as error:
            raise DataError(
                f"{path}: must be a journal of face-det, got {text[:80]!r}; move it away"
            ) from error
        found.append(_aside(path, content))
    return found


def _aside(path: Path, content: Any) -> Aside:
    """A line's content, which must not lead anywhere else."""
    if isinstance(content, dict) and all(
        isinstance(content.get(key), str) for key in ("move", "from", "to", "why")
    ):
        aside = Aside(
            content["move"], PurePosixPath(content["from"]), PurePosixPath(content["to"]), content["why"]
        )
        plain = aside.batch not in ("", ".", "..") and "/" not in aside.batch
        if plain and is_photo(aside.source) and aside.place == place(aside.batch, aside.source):
            return aside
    raise DataError(f"{path}: must be a journal of face-det, got {str(content)[:80]!r}; move it away")
