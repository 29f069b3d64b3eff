"""Users' corrections: who an unknown person is, which sightings belong together, who somebody is not.

Each change is a row of the table `change` with what it takes to undo it, and sets `edited` on the people and
sightings it touches: neither clustering nor a new model changes those again. Everything here runs within a
transaction of the writer's thread.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field, replace
from typing import Any

from face_det.errors import BadRequest, UnknownSighting
from face_det.sightings.events import CORRECTED, NAMED, Event, append_event
from face_det.sightings.former_names import current_name, note_said
from face_det.sightings.identifiers import unknown_id
from face_det.sightings.mergers import IGNORED_STATE, NAMED_STATE, UNKNOWN_STATE, merge_people, resolve_person
from face_det.sightings.next_number import mint_number
from face_det.sightings.people import UnknownPeople, assign_again, rebuild_people
from face_det.sightings.queries import require_sighting
from face_det.types import Outcome

PROTOTYPES = 8
"""The most sightings of an ignored person that count against every name."""
_PERSON_FIELDS = ("id", "state", "name", "merged_into", "edited")
_SIGHTING_FIELDS = ("id", "person", "shapes", "name", "outcome", "probability", "reason", "edited")


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change, and when (seconds since 1970)."""

    caller: str
    time: float


@dataclass(frozen=True, slots=True)
class EnrolledPhoto:
    """A training photo of a person: the name of its file, and the sighting that it was made of."""

    name: str
    file: str
    sighting: int


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """A change: its number, the unknown people whom it concerns, and how many sightings it changed.

    `photos` are the training photos that it added, and `withdrawn` those that it makes wrong; for an undo,
    those that the undone change added and withdrew. `ignored` is True for a merger with somebody who is
    ignored: all of them are then.
    """

    change: int
    unknowns: tuple[str, ...] = ()
    sightings: int = 0
    photos: tuple[EnrolledPhoto, ...] = ()
    withdrawn: tuple[EnrolledPhoto, ...] = ()
    ignored: bool = False


@dataclass(slots=True)
class PreviousRows:
    """The rows that a change touches, as they were."""

    people: list[dict[str, Any]] = field(default_factory=list)
    sightings: list[dict[str, Any]] = field(default_factory=list)
    made: list[int] = field(default_factory=list)
    photos: list[EnrolledPhoto] = field(default_factory=list)
    withdrawn: list[EnrolledPhoto] = field(default_factory=list)

    def add_people(self, connection: sqlite3.Connection, people: Iterable[int]) -> None:
        """Note people, with everybody's sightings."""
        for person in people:
            self.people += _rows(connection, "person", _PERSON_FIELDS, "id = ?", person)
            self.sightings += _rows(connection, "sighting", _SIGHTING_FIELDS, "person = ?", person)

    def add_sighting(self, connection: sqlite3.Connection, sighting: int) -> None:
        """Note one sighting, and its person's row."""
        rows = _rows(connection, "sighting", _SIGHTING_FIELDS, "id = ?", sighting)
        self.sightings += rows
        for row in rows:
            self.people += _rows(connection, "person", _PERSON_FIELDS, "id = ?", row["person"])


def merge_unknowns(connection: sqlite3.Connection, numbers: Sequence[int], author: Author) -> ChangeResult:
    """Merge several unknown people into one; the oldest number is kept, and the others lead to it."""
    people = {row["id"]: row for row in (require_person(connection, number) for number in numbers)}
    if len(people) < 2:
        raise BadRequest("ids: must be at least two different unknown people")
    if len({row["fingerprint"] for row in people.values()}) > 1:
        raise BadRequest(
            "ids: must have been seen by one embedder, got encodings of two that cannot be compared"
        )
    kept = min(people.values(), key=lambda row: row["number"])
    before = PreviousRows()
    before.add_people(connection, people)
    for other in people:
        if other != kept["id"]:
            merge_people(connection, kept["id"], other)
    # Whoever is to be ignored is, under whatever number.
    ignored = any(row["state"] == IGNORED_STATE for row in people.values())
    state = IGNORED_STATE if ignored else UNKNOWN_STATE
    connection.execute("UPDATE person SET state = ?, edited = 1 WHERE id = ?", (state, kept["id"]))
    rebuild_people(connection, [kept["id"]])
    change = record_change(connection, "merge", author, before)
    _append_correction_event(
        connection, "merge", author, change, *sorted(row["number"] for row in people.values())
    )
    return ChangeResult(change, (unknown_id(kept["number"]),), len(before.sightings), ignored=ignored)


def split_unknown(
    connection: sqlite3.Connection, number: int, sightings: Sequence[int], author: Author
) -> ChangeResult:
    """Split some of an unknown person's sightings off into a new one."""
    person = require_person(connection, number)
    rows = [require_sighting(connection, sighting) for sighting in dict.fromkeys(sightings)]
    for row in rows:
        if row["person"] != person["id"]:
            raise BadRequest(f"sighting_ids: must belong to {unknown_id(number)}, got {row['id']}")
    # As many as are kept: the person's row counts those that have expired as well.
    kept = connection.execute("SELECT count(*) FROM sighting WHERE person = ?", (person["id"],)).fetchone()[0]
    if not 0 < len(rows) < kept:
        raise BadRequest(
            f"sighting_ids: must be some of the {kept} sightings of {unknown_id(number)}, "
            f"but not all, got {len(rows)}"
        )
    before = PreviousRows()
    before.add_people(connection, [person["id"]])
    made = connection.execute(
        "INSERT INTO person (fingerprint, edited) VALUES (?, 1)", (person["fingerprint"],)
    ).lastrowid
    assert made is not None
    before.made.append(made)
    fresh = mint_number(connection, made)
    for row in rows:
        # A user says that they are this person: all of them shape it.
        connection.execute("UPDATE sighting SET person = ?, shapes = 1 WHERE id = ?", (made, row["id"]))
    connection.execute("UPDATE person SET edited = 1 WHERE id = ?", (person["id"],))
    rebuild_people(connection, [person["id"], made])
    change = record_change(connection, "split", author, before)
    _append_correction_event(connection, "split", author, change, number, fresh)
    return ChangeResult(change, (unknown_id(number), unknown_id(fresh)), len(rows))


def ignore_unknown(connection: sqlite3.Connection, number: int, author: Author) -> ChangeResult:
    """Write no more events about an unknown person, and never give that face a name.

    Somebody who is ignored already stays so, and the result is that of the change that did it. Raises
    BadRequest if that change is too old to be known.
    """
    person = require_person(connection, number)
    if person["state"] == IGNORED_STATE:
        done = _find_ignoring(connection, person["id"])
        if done is None:
            raise BadRequest(f"id: {unknown_id(person['number'])} is ignored already")
        return ChangeResult(done, (unknown_id(number),))
    before = PreviousRows()
    before.people += _rows(connection, "person", _PERSON_FIELDS, "id = ?", person["id"])
    connection.execute("UPDATE person SET state = ?, edited = 1 WHERE id = ?", (IGNORED_STATE, person["id"]))
    change = record_change(connection, "ignore", author, before)
    _append_correction_event(connection, "ignore", author, change, number)
    connection.execute(
        "INSERT INTO negative (name, person, sighting, change, fingerprint, encoding, norm, quality)"
        " SELECT NULL, person, id, ?, fingerprint, encoding, norm, quality FROM sighting"
        " WHERE person = ? AND encoding IS NOT NULL ORDER BY quality DESC, id LIMIT ?",
        (change, person["id"], PROTOTYPES),
    )
    return ChangeResult(change, (unknown_id(number),))


def name_unknown(
    connection: sqlite3.Connection,
    number: int,
    name: str,
    photos: Sequence[EnrolledPhoto],
    author: Author,
) -> ChangeResult:
    """Give an unknown person a name, in all sightings; `photos` were enrolled for it."""
    person = require_not_ignored(connection, number)
    before = PreviousRows(photos=list(photos))
    before.add_people(connection, [person["id"]])
    connection.execute(
        "UPDATE person SET state = ?, name = ?, edited = 1 WHERE id = ?", (NAMED_STATE, name, person["id"])
    )
    connection.execute(
        "UPDATE sighting SET name = ?, outcome = 'known', reason = NULL, edited = 1 WHERE person = ?",
        (name, person["id"]),
    )
    change = record_change(connection, "name", author, before)
    data = {"sightings": person["sightings"], "photos": len(photos), "change": change}
    append_event(
        connection,
        Event(NAMED, author.time, name=name, person=person["id"], sighting=person["best"], data=data),
    )
    return ChangeResult(change, (unknown_id(number),), person["sightings"], tuple(photos))


def name_sighting(
    connection: sqlite3.Connection,
    people: UnknownPeople,
    sighting: int,
    name: str | None,
    photos: Sequence[EnrolledPhoto],
    author: Author,
) -> ChangeResult:
    """Say who a sighting shows; None: not the person who was named.

    A wrong name is not given to a face like this one again.
    """
    row = require_sighting(connection, sighting)
    wrong = row["name"] if row["name"] not in (None, name) else None
    if name is None and wrong is None:
        raise BadRequest(f"id: sighting {sighting} has no name to remove")
    withdrawn = [] if wrong is None else _find_photos(connection, sighting, wrong)
    before = PreviousRows(photos=list(photos), withdrawn=withdrawn)
    before.add_sighting(connection, sighting)
    note_said(connection, [sighting])
    connection.execute(
        "UPDATE sighting SET name = ?, outcome = ?, reason = NULL, person = NULL, shapes = 0, edited = 1"
        " WHERE id = ?",
        (name, (Outcome.UNKNOWN if name is None else Outcome.KNOWN).value, sighting),
    )
    rebuild_people(connection, [] if row["person"] is None else [row["person"]])
    change = record_change(connection, "confirm" if wrong is None else "correct", author, before)
    if wrong is not None and row["encoding"] is not None:
        connection.execute(
            "INSERT INTO negative (name, sighting, change, fingerprint, encoding, norm, quality)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (wrong, sighting, change, row["fingerprint"], row["encoding"], row["norm"], row["quality"]),
        )
    people.reload(connection)
    unknown = assign_again(connection, people, row, wrong) if name is None else None
    kind = NAMED if wrong is None else CORRECTED
    data = {"change": change, **({} if wrong is None else {"was": wrong})}
    event = Event(kind, author.time, row["camera"], row["visit"], sighting, None, name, unknown, data)
    append_event(connection, event)
    number = None if unknown is None else find_number(connection, unknown)
    unknowns = () if number is None else (unknown_id(number),)
    return ChangeResult(change, unknowns, 1, tuple(photos), tuple(withdrawn))


def require_not_ignored(connection: sqlite3.Connection, number: int) -> sqlite3.Row:
    """Return the row of an unknown person; raises BadRequest if they are ignored, and UnknownSighting."""
    row = require_person(connection, number)
    if row["state"] == IGNORED_STATE:
        identifier, change = unknown_id(row["number"]), _find_ignoring(connection, row["id"])
        if change is None:
            way = f"that was too long ago to be undone; face-det forget {identifier} erases all that was seen"
        else:
            way = f"undo change {change} first: face-det unknowns undo {change}"
        raise BadRequest(f"id: {identifier} is ignored; {way}")
    return row


def _find_ignoring(connection: sqlite3.Connection, person: int) -> int | None:
    """Return the number of the change by which a person came to be ignored; None if it is not kept."""
    for row in connection.execute(
        "SELECT id, data FROM change WHERE undone = 0 AND verb IN ('ignore', 'merge') ORDER BY id DESC"
    ):
        if person in {fields["id"] for fields in json.loads(row["data"])["people"]}:
            return int(row["id"])
    return None


def require_person(connection: sqlite3.Connection, number: int) -> sqlite3.Row:
    """Return the row of an unknown person, following mergers; raises UnknownSighting.

    Somebody who was named since is not unknown any more.
    """
    row = resolve_person(connection, number)
    if row is None:
        raise UnknownSighting(
            f"id: nobody is called {unknown_id(number)}; unknowns() lists everybody who has a number"
        )
    if row["state"] == NAMED_STATE:
        raise UnknownSighting(f"id: {unknown_id(number)} was named {row['name']!r} already")
    return row


def record_change(
    connection: sqlite3.Connection, verb: str, author: Author, before: PreviousRows, **more: Any
) -> int:
    """Write a change with what it takes to undo it; return its number."""
    data = {
        "people": before.people,
        "sightings": before.sightings,
        "made": before.made,
        "photos": [astuple(photo) for photo in before.photos],
        "withdrawn": [astuple(photo) for photo in before.withdrawn],
        **more,
    }
    done = connection.execute(
        "INSERT INTO change (time, verb, caller, data) VALUES (?, ?, ?, ?)",
        (author.time, verb, author.caller, json.dumps(data)),
    )
    assert done.lastrowid is not None
    return done.lastrowid


def _rows(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], condition: str, value: object
) -> list[dict[str, Any]]:
    found = connection.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {condition}", (value,))
    return [dict(row) for row in found.fetchall()]


def _find_photos(connection: sqlite3.Connection, sighting: int, name: str) -> list[EnrolledPhoto]:
    """Return the training photos of a person that were made of a sighting."""
    found = []
    for row in connection.execute("SELECT id, data FROM change WHERE undone = 0 ORDER BY id"):
        photos = [EnrolledPhoto(*fields) for fields in json.loads(row["data"])["photos"]]
        found += [
            replace(photo, name=name)
            for photo in photos
            if photo.sighting == sighting and current_name(connection, photo.name, row["id"]) == name
        ]
    return found


def _append_correction_event(
    connection: sqlite3.Connection, verb: str, author: Author, change: int, *numbers: int
) -> None:
    """Write an event about unknown people, for everybody who follows events."""
    data = {"verb": verb, "change": change, "unknowns": [unknown_id(number) for number in numbers]}
    append_event(connection, Event(CORRECTED, author.time, data=data))


def find_number(connection: sqlite3.Connection, person: int) -> int | None:
    """Return the number of the person in a row; None if there is none."""
    row = connection.execute("SELECT number FROM person WHERE id = ?", (person,)).fetchone()
    return None if row is None or row[0] is None else int(row[0])
