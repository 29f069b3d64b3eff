"""What the writer's thread does when idle: small steps, each in a transaction."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from face_det.errors import FaceDetError
from face_det.sightings.people import Enrolled, UnknownPeople
from face_det.sightings.recorder import Decide, Recorder
from face_det.sightings.records import MemoryOptions
from face_det.sightings.rescoring import rescore_before
from face_det.sightings.retention import DAY_S, remove_expired
from face_det.sightings.schema import remove_moved_aside
from face_det.sightings.second_thoughts import reconsider_people

log = logging.getLogger(__name__)

CLEAN_S = 10.0
"""How often to look for what has expired, if nothing was found the last time."""
IDLE_S = 120.0
"""How long nothing must be recorded before the unknown people are reconsidered."""
RECONSIDER_S = 20 * 3600.0
"""The least time between two such passes."""

T = TypeVar("T")


class Run(Protocol):
    """Runs a change in a transaction and returns what it returns."""

    def __call__(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run the change."""


class Maintenance:
    """Decides past sightings again, reconsiders unknown people, and removes what has expired."""

    def __init__(
        self,
        path: Path,
        recorder: Recorder,
        people: UnknownPeople,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        """`path` is the database's."""
        self._path = path
        self._recorder = recorder
        self._people = people
        self._wall = wall
        self._monotonic = monotonic
        self._decided_by = ""
        self._rescore_before = 0
        self._clean_at = 0.0
        self._recorded_at = monotonic()
        self._unconsidered = False
        self._reconsider_at = 0.0

    def note_recorded(self) -> None:
        """Note that something was just recorded."""
        self._recorded_at, self._unconsidered = self._monotonic(), True

    def switch(
        self,
        connection: sqlite3.Connection,
        decide: Decide,
        enrolled: Callable[[], Enrolled],
        decided_by: str,
    ) -> None:
        """Switch to another model; past sightings are then decided again, unless it decided them already."""
        self._recorder.decide, self._decided_by = decide, decided_by
        try:
            self._people.set_enrolled(enrolled())
        except (FaceDetError, OSError) as error:
            log.error("unknown people are not compared with those enrolled: %s", error)
            self._people.set_enrolled({})
        row = connection.execute("SELECT value FROM meta WHERE key = 'decided_by'").fetchone()
        if row is None or row[0] != decided_by:
            # From now on, sightings are decided partly by one and partly by another.
            connection.execute("DELETE FROM meta WHERE key = 'decided_by'")
            newest = connection.execute("SELECT ifnull(max(id), 0) FROM sighting").fetchone()[0]
            self._rescore_before = int(newest) + 1

    def step(self, run: Run, options: MemoryOptions) -> bool:
        """Do one step; return whether there is more to do at once."""
        more = False
        if self._rescore_before:
            self._rescore(run)
            more = True
        now = self._monotonic()
        if self._unconsidered and now >= max(self._recorded_at + IDLE_S, self._reconsider_at):
            # First, so that what fails is not tried again at once, and for ever.
            self._unconsidered, self._reconsider_at = False, now + RECONSIDER_S
            run(self.reconsider)
        if now >= self._clean_at:
            removed = run(lambda writer: remove_expired(writer, self._people, options, self._wall()))
            remove_moved_aside(self._path, self._wall() - options.keep_days * DAY_S)
            self._clean_at = now + (0.0 if removed else CLEAN_S)
            more = more or bool(removed)
        return more

    def reconsider(self, connection: sqlite3.Connection) -> int:
        """Assign unknown sightings again; return how many moved."""
        row = connection.execute("SELECT fingerprint FROM person ORDER BY recorded DESC LIMIT 1").fetchone()
        return 0 if row is None else reconsider_people(connection, self._people, row["fingerprint"])

    def _rescore(self, run: Run) -> None:
        """Decide some past sightings again. Where to go on is noted once they are committed."""

        def rescore(connection: sqlite3.Connection) -> int:
            left = rescore_before(connection, self._people, self._recorder.decide, self._rescore_before)
            if not left:
                connection.execute(
                    "INSERT OR REPLACE INTO meta VALUES ('decided_by', ?)", (self._decided_by,)
                )
            return left

        try:
            self._rescore_before = run(rescore)
        except sqlite3.Error:
            raise
        except Exception:
            self._rescore_before = 0
            raise
