"""The file of the event queue: a table in SQLite."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from face_det.errors import CannotWrite

log = logging.getLogger(__name__)

_TABLE = (
    "CREATE TABLE IF NOT EXISTS events (event INTEGER PRIMARY KEY, monitor INTEGER, reported REAL NOT NULL)"
)
_ADD = """
INSERT INTO events (event, monitor, reported) VALUES (?, ?, ?)
ON CONFLICT (event) DO UPDATE SET monitor = excluded.monitor
"""


class WaitingFile:
    """Events by number, each with the monitor that was given, if any, and when it was reported."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; a damaged one is moved aside. Raises CannotWrite."""
        self._path = path
        self._lock = threading.Lock()
        with self._explaining():
            try:
                self._database = self._open()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                aside = path.with_name(path.name + ".damaged")
                log.error(
                    "%s is damaged (%s); it is renamed to %s, and the events in it are lost",
                    path,
                    error,
                    aside.name,
                )
                path.replace(aside)
                self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        database.execute(_TABLE)
        return database

    def read(self) -> list[tuple[int, int | None, float]]:
        """Return (event, monitor, time of the report in seconds since 1970), the oldest first."""
        with self._lock, self._explaining():
            rows = self._database.execute(
                "SELECT event, monitor, reported FROM events ORDER BY reported, event"
            )
            return rows.fetchall()

    def add(self, event: int, monitor: int | None, reported: float) -> None:
        """Store an event, on disk on return; the time of its first report stays. Raises CannotWrite."""
        with self._lock, self._explaining():
            self._database.execute(_ADD, (event, monitor, reported))

    def remove(self, event: int) -> None:
        """Forget an event. Raises CannotWrite."""
        with self._lock, self._explaining():
            self._database.execute("DELETE FROM events WHERE event = ?", (event,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise CannotWrite(
                f"{self._path}: ZoneMinder's events cannot be stored: {error}; make room, or make the "
                "folder writable"
            ) from error
