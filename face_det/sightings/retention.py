"""Removes what is older, or more, than is to be kept: a little at a time, so that nothing waits for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from face_det.sightings.records import MemoryOptions

DAY_S = 86_400.0
STEP = 200
"""How many sightings are removed at once."""
KEPT_SHARE = 0.95
"""Above its limit the database shrinks to this share of it, so that not every sighting causes work."""
VACUUM_PAGES = 200


def remove_expired(connection: sqlite3.Connection, options: MemoryOptions, now: float) -> int:
    """Remove a first part of what has expired; return how many sightings that were. Call it repeatedly."""
    removed = _remove_forgotten_people(connection, now - options.unknown_keep_days * DAY_S)
    removed += _remove_older(connection, now - options.keep_days * DAY_S)
    if not removed:
        removed = _remove_surplus(connection, options)
    if removed:
        connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
    return removed


def delete_sightings(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Delete sightings with their thumbnails, and the pictures that no other sighting needs."""
    for start in range(0, len(ids), STEP):
        some = list(ids[start : start + STEP])
        marks = ", ".join("?" * len(some))
        pictures = [
            row[0]
            for row in connection.execute(
                f"SELECT DISTINCT picture FROM sighting WHERE picture IS NOT NULL AND id IN ({marks})", some
            )
        ]
        connection.execute(f"DELETE FROM thumbnail WHERE sighting IN ({marks})", some)
        connection.execute(f"DELETE FROM sighting WHERE id IN ({marks})", some)
        for picture in pictures:
            connection.execute(
                "DELETE FROM picture WHERE id = ?1"
                " AND NOT EXISTS (SELECT 1 FROM sighting WHERE picture = ?1)",
                (picture,),
            )


def delete_person(connection: sqlite3.Connection, person: int) -> None:
    """Delete an unknown person's row and counts, and those of everybody merged into them."""
    for (merged,) in connection.execute("SELECT id FROM person WHERE merged_into = ?", (person,)).fetchall():
        delete_person(connection, merged)
    for statement in (
        "DELETE FROM person_camera WHERE person = ?",
        "DELETE FROM person_visit WHERE person = ?",
        "UPDATE event SET person = NULL WHERE person = ?",
        "DELETE FROM person WHERE id = ?",
    ):
        connection.execute(statement, (person,))


def _remove_forgotten_people(connection: sqlite3.Connection, before: float) -> int:
    """Forget unknown people who were last seen before that time, a few at once."""
    removed = 0
    people = connection.execute(
        "SELECT id FROM person WHERE state = 'unknown' AND edited = 0 AND last < ? ORDER BY last LIMIT 20",
        (before,),
    ).fetchall()
    for (person,) in people:
        ids = [
            row[0]
            for row in connection.execute("SELECT id FROM sighting WHERE person = ? LIMIT ?", (person, STEP))
        ]
        delete_sightings(connection, ids)
        removed += len(ids)
        if len(ids) < STEP:
            delete_person(connection, person)
        if removed >= STEP:
            break
    return removed


def _remove_older(connection: sqlite3.Connection, before: float) -> int:
    """Remove sightings and events from before that time; the best one of each numbered person stays."""
    connection.execute(
        "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE time < ? LIMIT ?)", (before, STEP)
    )
    connection.execute(
        "DELETE FROM visit WHERE id IN (SELECT id FROM visit WHERE ended = 1 AND last < ? LIMIT ?)",
        (before, STEP),
    )
    return _remove_oldest(connection, "AND time < ?", [before])


def _remove_surplus(connection: sqlite3.Connection, options: MemoryOptions) -> int:
    count = connection.execute("SELECT count(*) FROM sighting").fetchone()[0]
    if count > options.max_count:
        return _remove_oldest(connection, "", [], count - options.max_count)
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return _remove_oldest(connection, "", []) if (pages - free) * size > options.max_mb * 1e6 else 0


def _remove_oldest(
    connection: sqlite3.Connection, condition: str, values: list[float], limit: int = STEP
) -> int:
    ids = [
        row[0]
        for row in connection.execute(
            "SELECT id FROM sighting WHERE NOT EXISTS (SELECT 1 FROM person WHERE person.id = sighting.person"
            f" AND best = sighting.id AND number IS NOT NULL) {condition} ORDER BY time, id LIMIT ?",
            (*values, min(limit, STEP)),
        )
    ]
    delete_sightings(connection, ids)
    return len(ids)
