"""What was seen of people follows when their photos get another name.

The photos, the encodings and the journal of changes are written first, in one transaction of files; the
memory follows in one of its own, which notes how far it has come. After a kill or a fault in between, the
next start or the next change to photos goes on from there.
"""

from __future__ import annotations

import logging
import sqlite3

from face_det.enrolment import UNDO, Paths, PhotoChange, open_photo_journal
from face_det.errors import FaceDetError
from face_det.gallery import Gallery, list_photos
from face_det.service.memory import Memory
from face_det.service.sighting_arguments import composed
from face_det.sightings import read_photo_change, rename_seen, undo_renaming, write_photo_change

log = logging.getLogger(__name__)

_RENAMING = ("rename", "merge")
"""The verbs by which people get another name, and not only photos another owner."""


class Renamings:
    """Lets the memory follow the changes in the journal. Whoever calls holds the lock on learning."""

    def __init__(self, paths: Paths, memory: Memory | None) -> None:
        self._paths = paths
        self._memory = memory
        self._first: int | None = None

    def follow(self) -> bool:
        """Follow all changes that were not followed yet; return whether there was any. A fault is logged.

        A memory that was never told of a change begins with the next one: it cannot know whether those before
        were of the people whom it has seen.
        """
        if self._memory is None or self._paths.changes is None:
            return False
        try:
            return self._follow(self._memory)
        except FaceDetError as error:
            log.error("what was seen still has the names from before a change to photos: %s", error)
            return False

    def _follow(self, memory: Memory) -> bool:
        journal = open_photo_journal(self._paths)
        last = memory.store.read(read_photo_change)
        if last is None and self._first is None:
            first = self._first = journal.next_number() - 1
            # Nothing waits for it: a database that cannot be written now is no reason to start late.
            memory.store.post(lambda connection: write_photo_change(connection, first))
        last = self._first if last is None else last
        assert last is not None
        due = [one for one in journal.changes() if one.number > last and one.verb in (*_RENAMING, UNDO)]
        if not due:
            return False

        def follow(connection: sqlite3.Connection) -> None:
            for change in reversed(due):
                self._follow_one(connection, change)
            write_photo_change(connection, due[0].number)
            memory.store.people.reload(connection)

        memory.store.write(follow)
        return True

    def _follow_one(self, connection: sqlite3.Connection, change: PhotoChange) -> None:
        if change.undoes is not None:
            undo_renaming(connection, change.undoes, change.time, self._is_enrolled)
        elif change.target is not None and change.verb in _RENAMING:
            # As older models spelt them, too.
            formers = [name for one in change.sources for name in (one, composed(one))]
            rename_seen(connection, change.number, change.time, formers, change.target)

    def _is_enrolled(self, name: str) -> bool:
        return (
            bool(list_photos(self._paths.dataset).get(name))
            or name in Gallery.load(self._paths.encodings).names
        )
