"""Undoing what users changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from face_det.errors import BadRequest, UnknownSighting
from face_det.sightings.changes import (
    Author,
    ChangeResult,
    EnrolledPhoto,
    PreviousRows,
    find_number,
    record_change,
)
from face_det.sightings.events import CORRECTED, Event, append_event
from face_det.sightings.former_names import current_name, note_said
from face_det.sightings.identifiers import unknown_id
from face_det.sightings.mergers import IGNORED_STATE, NAMED_STATE, UNKNOWN_STATE
from face_det.sightings.people import rebuild_people


def undo_change(connection: sqlite3.Connection, change: int, author: Author) -> ChangeResult:
    """Put everything back that a change touched; sightings that were removed since stay so.

    Raises BadRequest if a later change touched the same people or sightings, and UnknownSighting if there is
    no such change. The photos that the change enrolled are the caller's to remove, and those that it withdrew
    to enrol again.
    """
    row = connection.execute("SELECT * FROM change WHERE id = ?", (change,)).fetchone()
    if row is None:
        raise UnknownSighting(f"change: there is no change {change}")
    if row["undone"]:
        raise BadRequest(f"change: {change} was undone already")
    if row["verb"] == "undo":
        raise BadRequest(f"change: {change} undid another one; make that change again instead")
    before = _with_current_names(connection, json.loads(row["data"]), change)
    touched = _touched(before)
    for later in connection.execute(
        "SELECT id, data FROM change WHERE id > ? AND undone = 0 AND verb != 'undo' ORDER BY id DESC",
        (change,),
    ):
        if touched & _touched(json.loads(later["data"])):
            raise BadRequest(f"change: undo {later['id']} first, which changed the same people or sightings")
    people = [fields["id"] for fields in before["people"]]
    left = _put_back(connection, before)
    note_said(connection, (fields["id"] for fields in before["sightings"]))
    rebuild_people(connection, [person for person in {*people, *left} if _is_alive(connection, person)])
    connection.execute("DELETE FROM negative WHERE change = ?", (change,))
    connection.execute("UPDATE change SET undone = 1 WHERE id = ?", (change,))
    undo = record_change(connection, "undo", author, PreviousRows(), undone=change)
    data = {"verb": "undo", "change": undo, "undone": change}
    append_event(connection, Event(CORRECTED, author.time, data=data))
    photos, withdrawn = (
        tuple(EnrolledPhoto(*fields) for fields in before[key]) for key in ("photos", "withdrawn")
    )
    unknowns = _unknown_ids(connection, people)
    return ChangeResult(undo, unknowns, len(before["sightings"]), photos, withdrawn)


_SENTENCES = {
    "merge": "Unknown people were merged.",
    "split": "Sightings of an unknown person were split off into a new one.",
    "ignore": "An unknown person was ignored.",
    "confirm": "A sighting was confirmed.",
    "correct": "A sighting was corrected.",
    "undo": "A change was undone.",
}


def find_changes(connection: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Return the latest changes, newest first: {change, time, what, undone, undoable}.

    One that a later change builds on cannot be undone before that one.
    """
    touched: set[tuple[str, int]] = set()
    found = []
    rows = connection.execute("SELECT * FROM change ORDER BY id DESC LIMIT ?", (limit,))
    for row in rows:
        data = json.loads(row["data"])
        active = not row["undone"] and row["verb"] != "undo"
        what = _SENTENCES.get(row["verb"], "An unknown person was named.")
        undoable = active and not touched & _touched(data)
        found.append(
            {
                "change": row["id"],
                "time": row["time"],
                "what": what,
                "undone": bool(row["undone"]),
                "undoable": undoable,
            }
        )
        if active:
            touched |= _touched(data)
    return found


def _with_current_names(connection: sqlite3.Connection, data: dict[str, Any], change: int) -> dict[str, Any]:
    """Return what a change holds, with the names that people have now who were renamed since."""
    rows = {
        key: [{**fields, "name": current_name(connection, fields["name"], change)} for fields in data[key]]
        for key in ("people", "sightings")
    }
    photos = {
        key: [(current_name(connection, name, change), *rest) for name, *rest in data[key]]
        for key in ("photos", "withdrawn")
    }
    return {**data, **rows, **photos}


def _put_back(connection: sqlite3.Connection, before: dict[str, Any]) -> set[int]:
    """Write rows as they were before a change; return the people whom sightings leave by that."""
    for made in before["made"]:
        # What joined somebody who should never have been goes where the rest goes.
        parent = before["people"][0]["id"]
        connection.execute("UPDATE sighting SET person = ? WHERE person = ?", (parent, made))
        connection.execute(
            "UPDATE person SET state = 'merged', merged_into = ?, shaping = 0, sum = NULL, sightings = 0,"
            " visits = 0, best = NULL WHERE id = ?",
            (parent, made),
        )
    left = set()
    for fields in before["sightings"]:
        now = connection.execute("SELECT person FROM sighting WHERE id = ?", (fields["id"],)).fetchone()
        if now is not None and now["person"] is not None:
            left.add(now["person"])
    for table, rows in (("person", before["people"]), ("sighting", before["sightings"])):
        for fields in rows:
            columns = [key for key in fields if key != "id"]
            connection.execute(
                f"UPDATE {table} SET {', '.join(f'{key} = ?' for key in columns)} WHERE id = ?",
                (*(fields[key] for key in columns), fields["id"]),
            )
    return left


def _touched(data: dict[str, Any]) -> set[tuple[str, int]]:
    people = {("person", fields["id"]) for fields in data["people"]} | {
        ("person", made) for made in data["made"]
    }
    return people | {("sighting", fields["id"]) for fields in data["sightings"]}


def _is_alive(connection: sqlite3.Connection, person: int) -> bool:
    row = connection.execute("SELECT state FROM person WHERE id = ?", (person,)).fetchone()
    return row is not None and row["state"] in (UNKNOWN_STATE, NAMED_STATE, IGNORED_STATE)


def _unknown_ids(connection: sqlite3.Connection, people: Iterable[int]) -> tuple[str, ...]:
    numbers = (find_number(connection, person) for person in people)
    return tuple(unknown_id(number) for number in numbers if number is not None)
