"""Forgetting: everything about a person is deleted from the database, and its pages are overwritten."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from face_det.errors import CannotWrite
from face_det.sightings.events import FORGOTTEN, Event, append_event
from face_det.sightings.former_names import former_names
from face_det.sightings.identifiers import unknown_id
from face_det.sightings.mergers import resolve_person
from face_det.sightings.pending_photos import forget_pending_photos
from face_det.sightings.people import UnknownPeople, rebuild_people
from face_det.sightings.recognised import Recognised, find_recognised
from face_det.sightings.recorder import Decide
from face_det.sightings.renaming import erase_former_names
from face_det.sightings.retention import delete_person, delete_sightings
from face_det.sightings.schema import all_moved_aside
from face_det.sightings.spool import Spool
from face_det.storage import report_write_errors

log = logging.getLogger(__name__)

READERS_S = 30.0
"""How long erasing waits for those who read."""


@dataclass(frozen=True, slots=True)
class ErasureCounts:
    """How many sightings were erased, and how many unknown people were given the name (or had the number).

    `recognised` of the sightings had no name. `not_compared` had none either, may show anybody, and stay.
    """

    sightings: int
    people: int
    recognised: int = 0
    not_compared: int = 0


def erase_name(
    connection: sqlite3.Connection,
    people: UnknownPeople,
    name: str,
    now: float,
    decide: Decide | None = None,
) -> ErasureCounts:
    """Erase everything that is kept under a name: sightings, people named so, events, changes, negatives.

    With `decide`, which knows the person, sightings without a name that show the person are erased, too.
    """
    theirs = Recognised() if decide is None else find_recognised(connection, decide, name)
    rows = connection.execute("SELECT id FROM person WHERE name = ?", (name,)).fetchall()
    persons, sightings = [row["id"] for row in rows], _sightings(connection, "name = ?", name)
    nameless = _count_nameless(connection)
    formers = former_names(connection, name)
    erased = _erase(
        connection,
        [*persons, *theirs.persons],
        [*sightings, *theirs.sightings],
        lambda change, data: (
            _mentions_name(data, name)
            or any(change <= one.change and _mentions_name(data, one.name) for one in formers)
        ),
    )
    erased = replace(
        erased, recognised=nameless - _count_nameless(connection), not_compared=theirs.not_compared
    )
    erase_former_names(connection, name)
    connection.execute("DELETE FROM negative WHERE name = ?", (name,))
    forget_pending_photos(connection, name)
    connection.execute(
        "DELETE FROM event WHERE name = ? OR instr(ifnull(data, ''), ?)", (name, json.dumps(name))
    )
    if erased.sightings or erased.people:
        append_event(connection, Event(FORGOTTEN, now, data={"sightings": erased.sightings}))
    people.reload(connection)
    return erased


def erase_unknown(
    connection: sqlite3.Connection, people: UnknownPeople, number: int, now: float
) -> ErasureCounts | None:
    """Erase everything that is kept of an unknown person; None if there is none with that number."""
    person = resolve_person(connection, number)
    if person is None:
        return None
    erased = _erase(connection, [person["id"]], [], lambda change, data: False)
    append_event(
        connection, Event(FORGOTTEN, now, data={"sightings": erased.sightings, "was": unknown_id(number)})
    )
    people.reload(connection)
    return erased


def note_erased(connection: sqlite3.Connection) -> None:
    """Note, in the transaction that deletes rows, that their remains must be scrubbed."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('to_scrub', 1)")


def must_scrub(connection: sqlite3.Connection) -> bool:
    """Return whether rows were erased whose remains were not scrubbed, because of a kill or a fault."""
    return connection.execute("SELECT 1 FROM meta WHERE key = 'to_scrub'").fetchone() is not None


def scrub(connection: sqlite3.Connection, path: Path, spool: Spool | None) -> None:
    """Empty what may still hold deleted rows; runs outside a transaction. Raises CannotWrite.

    Deleted rows are overwritten, but SQLite moves rows within and between pages, and what it moved leaves
    copies in the gaps: only writing all pages anew is sure to drop them.
    """
    if must_scrub(connection):
        connection.execute("VACUUM")
    end = time.monotonic() + READERS_S
    while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > end:
            raise CannotWrite(f"{path}: is being read, so its log cannot be emptied; try again")
        time.sleep(0.05)
    connection.execute("DELETE FROM meta WHERE key = 'to_scrub'")
    if spool is not None:
        spool.release(anyhow=True)
    for aside in all_moved_aside(path):
        log.warning("%s: removed, because it may hold somebody who is to be forgotten", aside)
        with report_write_errors(aside):
            aside.unlink()


def _erase(
    connection: sqlite3.Connection,
    persons: list[int],
    sightings: list[int],
    mentions: Callable[[int, object], bool],
) -> ErasureCounts:
    ids, found = set(sightings), len(persons)
    persons = [one for person in persons for one in _with_aliases(connection, person)]
    for person in persons:
        ids.update(_sightings(connection, "person = ?", person))
    left = {
        row["person"]
        for sighting in sorted(ids)
        for row in connection.execute("SELECT person FROM sighting WHERE id = ?", (sighting,))
        if row["person"] is not None
    } - {*persons}
    _erase_changes(connection, {*persons}, ids, mentions)
    for sighting in ids:
        connection.execute("DELETE FROM event WHERE sighting = ?", (sighting,))
        connection.execute("DELETE FROM negative WHERE sighting = ?", (sighting,))
        # The picture shows the face, whoever else is in it.
        _delete_picture_of(connection, sighting)
    delete_sightings(connection, sorted(ids))
    for person in persons:
        connection.execute("DELETE FROM event WHERE person = ?", (person,))
        connection.execute("DELETE FROM negative WHERE person = ?", (person,))
        delete_person(connection, person)
    # Their sums contained the encodings of what was erased.
    rebuild_people(connection, left)
    return ErasureCounts(len(ids), found)


def _with_aliases(connection: sqlite3.Connection, person: int) -> list[int]:
    """Return a person and everybody merged into them."""
    found = [person]
    for one in found:
        merged = connection.execute("SELECT id FROM person WHERE merged_into = ?", (one,)).fetchall()
        found += [row["id"] for row in merged if row["id"] not in found]
    return found


def _delete_picture_of(connection: sqlite3.Connection, sighting: int) -> None:
    row = connection.execute("SELECT picture FROM sighting WHERE id = ?", (sighting,)).fetchone()
    if row is not None and row["picture"] is not None:
        connection.execute("DELETE FROM picture WHERE id = ?", (row["picture"],))
        connection.execute("UPDATE sighting SET picture = NULL WHERE picture = ?", (row["picture"],))


def _erase_changes(
    connection: sqlite3.Connection,
    persons: set[int],
    sightings: set[int],
    mentions: Callable[[int, object], bool],
) -> None:
    """Erase changes that mention these people: what was erased cannot be restored."""
    for row in connection.execute("SELECT id, data FROM change").fetchall():
        data = json.loads(row["data"])
        touched = persons & {fields["id"] for fields in data["people"]}
        touched |= sightings & {fields["id"] for fields in data["sightings"]}
        if touched or mentions(row["id"], data):
            connection.execute("DELETE FROM change WHERE id = ?", (row["id"],))


def _mentions_name(data: object, name: str) -> bool:
    if isinstance(data, dict):
        return any(_mentions_name(value, name) for value in data.values())
    if isinstance(data, list):
        return any(_mentions_name(value, name) for value in data)
    return data == name


def _count_nameless(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT count(*) FROM sighting WHERE name IS NULL").fetchone()
    return int(found[0])


def _sightings(connection: sqlite3.Connection, condition: str, value: object) -> list[int]:
    return [row[0] for row in connection.execute(f"SELECT id FROM sighting WHERE {condition}", (value,))]
