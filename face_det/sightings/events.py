"""The event log: numbered, append-only, in the database of the sightings.

Types: `seen` (somebody, in a visit), `corroborated` (a second frame agrees), `visit_began`, `visit_ended`,
`heard` (somebody, in a recording), `named`, `corrected`, `enrolled`, `forgotten`, `trained`, `camera_lost`,
`camera_black`, `camera_frozen`, `camera_back`.
See docs/reference/events.md.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from face_det.sightings.identifiers import unknown_id

SEEN, CORROBORATED, HEARD = "seen", "corroborated", "heard"
VISIT_BEGAN, VISIT_ENDED = "visit_began", "visit_ended"
NAMED, CORRECTED, ENROLLED, FORGOTTEN = "named", "corrected", "enrolled", "forgotten"
TRAINED, CAMERA_LOST = "trained", "camera_lost"
CAMERA_BLACK, CAMERA_FROZEN, CAMERA_BACK = "camera_black", "camera_frozen", "camera_back"
CAMERA_EVENTS = {"lost": CAMERA_LOST, "black": CAMERA_BLACK, "frozen": CAMERA_FROZEN, "fine": CAMERA_BACK}
"""The event that says that a camera is in a state now; a camera that starts is none."""
AGREEING_FRAMES = 2
"""Somebody is corroborated when the face alone had the name in so many clear frames of one track."""
TIMES_FROM = 1_000_000_000
"""A cursor from here on is not an event's number but a time, in seconds since 1970."""
MAX_EVENTS = 1000
"""The most events in one answer; the next call continues."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `data` holds what only this type has. `person` is a row of that table.

    Its age counts from `recorded`, or from `time` if that is None.
    """

    type: str
    time: float
    camera: str | None = None
    visit: int | None = None
    sighting: int | None = None
    outcome: str | None = None
    name: str | None = None
    person: int | None = None
    data: dict[str, Any] = field(default_factory=dict)
    recorded: float | None = None


def last_camera_event(connection: sqlite3.Connection, camera: str) -> str | None:
    """Return the type of the last event that says how a camera is doing, or None."""
    kinds = tuple(CAMERA_EVENTS.values())
    marks = ", ".join("?" * len(kinds))
    found = connection.execute(
        f"SELECT type FROM event WHERE camera = ? AND type IN ({marks}) ORDER BY seq DESC LIMIT 1",
        (camera, *kinds),
    ).fetchone()
    return None if found is None else str(found[0])


def append_event(connection: sqlite3.Connection, event: Event) -> bool:
    """Append an event; False if this visit already has one that says that this person was seen."""
    done = connection.execute(
        "INSERT OR IGNORE INTO event"
        " (time, recorded, type, camera, visit, sighting, outcome, name, person, data)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(event.time, event.time if event.recorded is None else event.recorded, event.type),
            *(event.camera, event.visit, event.sighting),
            *(event.outcome, event.name, event.person),
            json.dumps(event.data) if event.data else None,
        ),
    )
    return done.rowcount > 0


def read_events(connection: sqlite3.Connection, after: int, limit: int = MAX_EVENTS) -> dict[str, Any]:
    """Return the events after number `after`, oldest first, and the number of the last one returned.

    `log` is the id of this log; another one was begun if it changes. If `after` is larger than any number
    given out, this is sure: `reset` is then true, and the answer starts with the oldest event.
    """
    newest = last_number(connection)
    reset = after > newest
    rows = connection.execute(
        "SELECT event.*, person.number, person.state FROM event LEFT JOIN person ON person.id = event.person"
        " WHERE seq > ? ORDER BY seq LIMIT ?",
        (0 if reset else after, limit),
    ).fetchall()
    events = [_as_json(row) for row in rows]
    last = events[-1]["seq"] if len(events) == limit else newest
    log = connection.execute("SELECT value FROM meta WHERE key = 'log'").fetchone()[0]
    return {"events": events, "last": last, "log": log, **({"reset": True} if reset else {})}


def find_heard(
    connection: sqlite3.Connection, limit: int, camera: str | None = None, name: str | None = None
) -> list[dict[str, Any]]:
    """Return the latest events of type `heard`, newest first, of a camera and of a person if given."""
    conditions, values = ["type = ?"], [HEARD]
    for column, value in (("camera", camera), ("event.name", name)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(value)
    rows = connection.execute(
        "SELECT event.*, person.number, person.state FROM event LEFT JOIN person ON person.id = event.person"
        f" WHERE {' AND '.join(conditions)} ORDER BY seq DESC LIMIT ?",
        (*values, limit),
    )
    return [_as_json(row) for row in rows]


def last_number(connection: sqlite3.Connection) -> int:
    """Return the number of the newest event ever written; 0 if there is none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
    return 0 if row is None else int(row[0])


def read_cursor(connection: sqlite3.Connection, consumer: str) -> int:
    """Return the number of the last event that a consumer has handled; 0 if it has never set one."""
    row = connection.execute("SELECT seq FROM cursor WHERE consumer = ?", (consumer,)).fetchone()
    return 0 if row is None else int(row[0])


def begin_cursor(connection: sqlite3.Connection, consumer: str, now: float) -> int:
    """Return a consumer's number; one that has never set it starts after the newest event."""
    connection.execute(
        "INSERT OR IGNORE INTO cursor VALUES (?, ?, ?)", (consumer, last_number(connection), now)
    )
    return read_cursor(connection, consumer)


def write_cursor(connection: sqlite3.Connection, consumer: str, seq: int, now: float) -> None:
    """Store the number of the last event that a consumer has handled."""
    connection.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (consumer, seq, now))


def read_cursors(connection: sqlite3.Connection, now: float) -> dict[str, dict[str, Any]]:
    """Return each consumer's cursor, how far it is behind, and when it last moved.

    `behind` counts the events that it has yet to handle, and `behind_s` says since when the oldest of them
    waits. Where the cursor is a time, as Frigate's is, `behind` is None, and `behind_s` is its age.
    """
    rows = connection.execute(
        "SELECT consumer, seq, time,"
        " (SELECT count(*) FROM event WHERE event.seq > cursor.seq) AS behind,"
        " (SELECT recorded FROM event WHERE event.seq > cursor.seq ORDER BY seq LIMIT 1) AS since FROM cursor"
    )
    return {row["consumer"]: _describe_cursor(row, now) for row in rows}


def _describe_cursor(row: sqlite3.Row, now: float) -> dict[str, Any]:
    seq, is_time = row["seq"], row["seq"] >= TIMES_FROM
    since = seq if is_time else row["since"]
    behind_s = 0.0 if since is None else max(0.0, round(now - since, 1))
    behind = None if is_time else row["behind"]
    return {"seq": seq, "behind": behind, "behind_s": behind_s, "moved": row["time"]}


def _as_json(row: sqlite3.Row) -> dict[str, Any]:
    number = None if row["number"] is None else unknown_id(row["number"])
    fields = {
        key: row[key] for key in ("seq", "time", "type", "camera", "visit", "sighting", "outcome", "name")
    }
    return {**fields, "unknown": number, **(json.loads(row["data"]) if row["data"] else {})}
