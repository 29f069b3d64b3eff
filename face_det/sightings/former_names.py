"""What people were called before they were renamed: changes and events keep the names of their time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormerName:
    """A name that somebody had until these last changes and events."""

    name: str
    change: int
    event: int


def current_name(connection: sqlite3.Connection, name: str | None, change: int) -> str | None:
    """Return what somebody is called by now who was called so when that change was made.

    Changes within the memory and renamings are told apart by what came first.
    """
    for row in connection.execute(
        "SELECT former, name FROM renaming WHERE change >= ? ORDER BY id", (change,)
    ):
        if row["former"] == name:
            name = row["name"]
    return name


def former_names(connection: sqlite3.Connection, name: str) -> list[FormerName]:
    """Return the former names of a person, the latest first."""
    names, found = {name}, []
    for row in connection.execute("SELECT * FROM renaming ORDER BY id DESC"):
        if row["name"] in names:
            names.add(row["former"])
            found.append(FormerName(row["former"], row["change"], row["event"]))
    return found


def note_said(connection: sqlite3.Connection, sightings: Iterable[int]) -> None:
    """Note that a user says whom sightings show: the undo of an earlier renaming leaves them alone."""
    connection.executemany(
        "DELETE FROM renamed WHERE renaming IN (SELECT id FROM renaming) AND kind = 'sighting' AND row = ?",
        [(sighting,) for sighting in sightings],
    )
