"""Training photos that are still to be removed or enrolled again, so that a kill in between loses nothing.

Photos lie outside the database. What a change asks of them is written in the transaction of the change, and
deleted once it is done; photos that a change is about to add are noted first, to be removed if it fails.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import astuple, dataclass

from face_det.sightings.changes import EnrolledPhoto

_KEY = "photos_due"


@dataclass(frozen=True, slots=True)
class PendingPhotos:
    """The photos to remove and those to enrol again; False if there are none."""

    remove: tuple[EnrolledPhoto, ...] = ()
    enrol: tuple[EnrolledPhoto, ...] = ()

    def __bool__(self) -> bool:
        """Return whether anything is to be done."""
        return bool(self.remove or self.enrol)


NO_PENDING_PHOTOS = PendingPhotos()


def read_pending_photos(connection: sqlite3.Connection) -> PendingPhotos:
    """Return what was noted last and not done yet."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    if row is None:
        return NO_PENDING_PHOTOS
    remove, enrol = (tuple(EnrolledPhoto(*fields) for fields in some) for some in json.loads(row[0]))
    return PendingPhotos(remove, enrol)


def write_pending_photos(connection: sqlite3.Connection, due: PendingPhotos) -> None:
    """Note what is to be done, in place of what was noted before."""
    if due:
        data = json.dumps([[astuple(photo) for photo in some] for some in (due.remove, due.enrol)])
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_KEY, data))
    else:
        connection.execute("DELETE FROM meta WHERE key = ?", (_KEY,))


def forget_pending_photos(connection: sqlite3.Connection, name: str) -> None:
    """Delete what is noted about the photos of somebody who is forgotten, and of whom none is to be left."""
    due = read_pending_photos(connection)
    remove, enrol = (tuple(photo for photo in some if photo.name != name) for some in (due.remove, due.enrol))
    write_pending_photos(connection, PendingPhotos(remove, enrol))
