"""Connections for queries: one for each thread, opened when it is first needed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from face_det.errors import CannotWrite
from face_det.sightings import schema

T = TypeVar("T")


class Readers:
    """Runs queries; any thread may. `on_damage` is called when a query shows that the database is damaged."""

    def __init__(self, path: Path, on_damage: Callable[[], None]) -> None:
        self._path = path
        self._on_damage = on_damage
        self._mine = threading.local()
        self._generation = 0

    def renew(self) -> None:
        """Let every thread open a new connection: the file may be another one."""
        self._generation += 1

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query; all that it reads is of one moment. Raises CannotWrite if it cannot be read."""
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return query(connection)
            finally:
                connection.rollback()
        except sqlite3.Error as error:
            self.renew()
            if schema.is_damage(error):
                self._on_damage()
            raise CannotWrite(f"{self._path}: cannot be read: {error}; try again") from error

    def _connection(self) -> sqlite3.Connection:
        mine = self._mine
        if getattr(mine, "generation", None) != self._generation or mine.connection is None:
            if getattr(mine, "connection", None) is not None:
                mine.connection.close()
            mine.connection, mine.generation = None, self._generation
            mine.connection = schema.open_for_reading(self._path)
        connection: sqlite3.Connection = mine.connection
        return connection
