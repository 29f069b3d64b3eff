"""A log of actions that were given up: lines of JSON, without names, in a file of limited size."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from face_det.errors import CannotWrite
from face_det.storage import make_folder, read_if_present, report_write_errors

log = logging.getLogger(__name__)

FILE_NAME = "failed-actions.jsonl"
MAX_BYTES = 500_000
"""When the file would become larger, it replaces the older one, and a new one is begun."""
KEPT = ("seq", "time", "type", "camera", "visit", "sighting", "outcome")
"""What is kept of an event. The name is not: it must be gone when somebody is forgotten."""


class DeadLetters:
    """The log in a folder; only one process may write it."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = folder / FILE_NAME
        self._older = folder / f"{FILE_NAME}.1"
        self._max_bytes = max_bytes

    def add(self, action: str, event: dict[str, Any], reason: str) -> None:
        """Append a line that is on disk on return; if that is not possible, the program's log gets it."""
        at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        letter = {"at": at, "action": action, "reason": reason, **{key: event.get(key) for key in KEPT}}
        line = json.dumps(letter)
        try:
            with report_write_errors(self.path, "what it holds is kept"):
                self._append(line.encode() + b"\n")
        except CannotWrite as error:
            log.error("%s; the line is: %s", error, line)

    def read(self) -> Iterator[dict[str, Any]]:
        """Return the letters that are kept, oldest first; raise DataError if a file cannot be read."""
        for path in (self._older, self.path):
            for line in (read_if_present(path, 2**30) or b"").splitlines():
                try:
                    letter = json.loads(line)
                except (ValueError, RecursionError):
                    continue  # cut off by a crash
                if isinstance(letter, dict):
                    yield letter

    def _append(self, line: bytes) -> None:
        make_folder(self.path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size + len(line) > self._max_bytes:
                self.path.replace(self._older)
                os.close(descriptor)
                descriptor = os.open(self.path, flags, 0o600)
                size = 0
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            whole = b"\n" * torn + line
            if os.write(descriptor, whole) < len(whole):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
