"""What was put aside: a line of JSON for each photo, written before it moves."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from face_det.errors import DataError
from face_det.identity import atomic

FOLDER = ".quarantine"
JOURNAL = "journal.jsonl"


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


def note(folder: Path, aside: Aside) -> None:
    """A line of the journal, on disk before anything moves. A line that was cut off is closed first."""
    with atomic.reporting(folder / JOURNAL):
        descriptor = os.open(folder / JOURNAL, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (b"\n" if torn else b"") + line(aside).encode())
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
        inside = PurePosixPath(FOLDER, aside.batch, *aside.source.parts)
        plain = aside.batch not in ("", ".", "..") and "/" not in aside.batch
        if plain and is_photo(aside.source) and aside.place == inside:
            return aside
    raise DataError(f"{path}: must be a journal of face-det, got {str(content)[:80]!r}; move it away")
