"""What was seen follows people who are renamed or made one: sightings, named people, and who somebody is not.

Photos are renamed outside the database, each time by a change with a number, and what was seen follows it.
Rows are noted, so that the undo of that change gives them the former name back, unless a user has said
something else about them since. Changes and events stay as they were written; former_names.py tells what
their names mean.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import replace

from face_det.sightings.events import last_number
from face_det.sightings.former_names import former_names
from face_det.sightings.pending_photos import PendingPhotos, read_pending_photos, write_pending_photos

_KINDS = ("sighting", "person", "negative")
_KEY = "photo_change"


def read_photo_change(connection: sqlite3.Connection) -> int | None:
    """Return the number of the last change to photos that was followed; None before the first."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    return None if row is None else int(row[0])


def write_photo_change(connection: sqlite3.Connection, number: int) -> None:
    """Note that all changes to photos up to this one were followed."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_KEY, number))


def rename_seen(
    connection: sqlite3.Connection, number: int | None, time: float, formers: Iterable[str], name: str
) -> None:
    """Give all that was seen of people another name, as the change to photos of that number did."""
    change = connection.execute("SELECT ifnull(max(id), 0) FROM change").fetchone()[0]
    for former in dict.fromkeys(formers):
        if former == name:
            continue
        made = connection.execute(
            "INSERT INTO renaming (number, time, former, name, change, event) VALUES (?, ?, ?, ?, ?, ?)",
            (number, time, former, name, change, last_number(connection)),
        ).lastrowid
        for kind in _KINDS:
            connection.execute(
                f"INSERT INTO renamed SELECT ?, ?, id FROM {kind} WHERE name = ?", (made, kind, former)
            )
            connection.execute(f"UPDATE {kind} SET name = ? WHERE name = ?", (name, former))
        due = read_pending_photos(connection)
        if due:
            remove, enrol = (
                tuple(replace(one, name=name) if one.name == former else one for one in some)
                for some in (due.remove, due.enrol)
            )
            write_pending_photos(connection, PendingPhotos(remove, enrol))


def undo_renaming(
    connection: sqlite3.Connection, number: int, time: float, is_enrolled: Callable[[str], bool]
) -> None:
    """Give what a change to photos renamed its former names back, as the undo of that change did."""
    rows = connection.execute("SELECT * FROM renaming WHERE number = ? ORDER BY id", (number,)).fetchall()
    for row in reversed(rows):
        for kind in _KINDS:
            connection.execute(
                f"UPDATE {kind} SET name = ? WHERE name = ?"
                " AND id IN (SELECT row FROM renamed WHERE renaming = ? AND kind = ?)",
                (row["former"], row["name"], row["id"], kind),
            )
        _delete(connection, row["id"])
    if len(rows) == 1 and not is_enrolled(rows[0]["name"]):
        # Whatever got the name since then is of the same person.
        rename_seen(connection, None, time, [rows[0]["name"]], rows[0]["former"])


def erase_former_names(connection: sqlite3.Connection, name: str) -> None:
    """Erase a person's former names, and the events in which they are."""
    former = former_names(connection, name)
    for one in former:
        connection.execute(
            "DELETE FROM event WHERE seq <= ? AND (name = ? OR instr(ifnull(data, ''), ?))",
            (one.event, one.name, json.dumps(one.name)),
        )
    names = {name, *(one.name for one in former)}
    for row in connection.execute("SELECT id, former, name FROM renaming").fetchall():
        if {row["former"], row["name"]} <= names:
            _delete(connection, row["id"])


def remove_renaming(connection: sqlite3.Connection, before: float, limit: int) -> int:
    """Remove what is noted of a renaming before that time, a part of it at once; return how many rows."""
    row = connection.execute(
        "SELECT id FROM renaming WHERE time < ? ORDER BY id LIMIT 1", (before,)
    ).fetchone()
    if row is None:
        return 0
    removed = connection.execute(
        "DELETE FROM renamed WHERE renaming = ?1 AND (kind, row) IN"
        " (SELECT kind, row FROM renamed WHERE renaming = ?1 LIMIT ?2)",
        (row["id"], limit),
    ).rowcount
    if removed < limit:
        _delete(connection, row["id"])
    return removed + 1


def _delete(connection: sqlite3.Connection, renaming: int) -> None:
    connection.execute("DELETE FROM renamed WHERE renaming = ?", (renaming,))
    connection.execute("DELETE FROM renaming WHERE id = ?", (renaming,))
