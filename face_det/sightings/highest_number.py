"""The highest number of an unknown person, in a file of its own: a number is never given twice.

Events, notifications and saved pictures name people by number long after the database may be lost, and the
next one must not give unknown-1 to somebody else.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from pathlib import Path

from face_det.sightings.next_number import read_next_number, write_next_number
from face_det.storage import read_json, write_atomically

log = logging.getLogger(__name__)

FILE_NAME = "unknown-numbers.json"
_KEY = "highest"


class HighestNumber:
    """Keeps the highest number of an unknown person beside the database; it only grows."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._kept = 0

    def restore(self, connection: sqlite3.Connection) -> None:
        """Let a database go on after the highest number; runs outside a transaction. Raises CannotWrite."""
        self._kept = max(self._kept, self._read())
        if read_next_number(connection) <= self._kept:
            write_next_number(connection, self._kept + 1)
        self.keep(connection)

    def keep(self, connection: sqlite3.Connection) -> None:
        """Write the file, if a higher number is about to be committed. Raises CannotWrite."""
        highest = read_next_number(connection) - 1
        if highest > self._kept:
            write_atomically(self._path, json.dumps({_KEY: highest}).encode())
            self._kept = highest

    def _read(self) -> int:
        if not self._path.exists():
            return 0
        try:
            number = read_json(self._path)[_KEY]
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**62:
                raise ValueError(f"must hold a whole number, got {number!r:.40}")
        except (ValueError, TypeError, KeyError) as error:
            log.error("%s: damaged (%s); numbers go on after those in the database", self._path, error)
            return 0
        return number
