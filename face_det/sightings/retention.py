"""Removes what exceeds the limits on age and size, a little at a time, so that nothing waits for it."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence

from face_det.sightings.people import UnknownPeople
from face_det.sightings.records import MemoryOptions
from face_det.sightings.renaming import remove_renaming

DAY_S = 86_400.0
RENAMING_DAYS = 31
"""For longer than a change to photos can be undone."""
STEP = 200
"""How many sightings are removed at once."""
VACUUM_PAGES = 200
"""How many free pages are given back at once; fewer are kept for what comes next."""


def remove_expired(
    connection: sqlite3.Connection, people: UnknownPeople, options: MemoryOptions, now: float
) -> int:
    """Remove a first part of what has expired; return how many rows and pages that were, 0 at the end."""
    before = now - options.keep_days * DAY_S
    gone, forgotten = _forget_people(connection, now - options.unknown_keep_days * DAY_S)
    # Otherwise they would be given further sightings.
    people.forget(forgotten)
    removed = (
        gone
        + _remove_oldest(connection, "AND recorded < ?", [before])
        + _remove_notes(connection, before)
        + remove_renaming(connection, min(before, now - RENAMING_DAYS * DAY_S), STEP)
    )
    if not removed:
        removed = _remove_surplus(connection, options)
    return removed + _give_back(connection)


def _give_back(connection: sqlite3.Connection) -> int:
    """Give free pages back to the file system, if there are many; return how many."""
    free = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
    if free < VACUUM_PAGES:
        return 0
    for _ in range(VACUUM_PAGES):
        # One at a time: the pragma frees a page for each step, and Python takes only the first.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return free - int(connection.execute("PRAGMA freelist_count").fetchone()[0])


def _remove_notes(connection: sqlite3.Connection, before: float) -> int:
    """Remove everything else that would grow for ever: events, changes, ended visits, unused cursors."""
    unused = "time < ? AND consumer NOT IN (SELECT consumer FROM cursor)"
    removed = 0
    for table, key, condition in (
        ("event", "seq", "recorded < ?"),
        ("change", "id", "time < ?"),
        ("cursor", "consumer", "time < ?"),
        ("lease", "consumer", unused),
    ):
        removed += connection.execute(
            f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {condition} LIMIT {STEP})",
            (before,),
        ).rowcount
    visits = "SELECT id FROM visit WHERE ended = 1 AND recorded < ? ORDER BY recorded, id LIMIT ?"
    # The counts stay in the rows of the people; no sighting is added to a visit that has ended.
    connection.execute(f"DELETE FROM person_visit WHERE visit IN ({visits})", (before, STEP))
    removed += connection.execute(f"DELETE FROM visit WHERE id IN ({visits})", (before, STEP)).rowcount
    return removed + _remove_absorbed(connection, before)


def _remove_absorbed(connection: sqlite3.Connection, before: float) -> int:
    """Remove people without a number who were merged into others: nothing leads to them."""
    absorbed = connection.execute(
        "SELECT id, merged_into FROM person"
        " WHERE recorded < ? AND state = 'merged' AND number IS NULL LIMIT ?",
        (before, STEP),
    ).fetchall()
    for row in absorbed:
        into = (row["merged_into"], row["id"])
        connection.execute("UPDATE person SET merged_into = ? WHERE merged_into = ?", into)
        delete_person(connection, row["id"])
    return len(absorbed)


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


def _forget_people(connection: sqlite3.Connection, before: float) -> tuple[int, list[int]]:
    """Forget unknown people who were last seen before that time; return how many rows went, and who.

    They are few at once.
    """
    removed, forgotten = 0, []
    people = connection.execute(
        "SELECT id FROM person WHERE state = 'unknown' AND recorded < ? ORDER BY recorded LIMIT 20",
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
            forgotten.append(person)
            removed += 1
        if removed >= STEP:
            break
    return removed, forgotten


def _remove_surplus(connection: sqlite3.Connection, options: MemoryOptions) -> int:
    """Remove the oldest sightings, or events where there are none, if there are more than may be kept."""
    count = connection.execute("SELECT count(*) FROM sighting").fetchone()[0]
    if count > options.max_count:
        return _remove_oldest_of_all(connection, count - options.max_count)
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    used, most = (pages - free) * size, options.max_mb * 1e6
    if used <= most:
        return 0
    # About as many as make up what is too much.
    removed = _remove_oldest_of_all(connection, math.ceil((used - most) * count / used))
    if not removed:
        oldest = f"DELETE FROM event WHERE seq IN (SELECT seq FROM event ORDER BY seq LIMIT {STEP})"
        removed = connection.execute(oldest).rowcount
    return removed


def _remove_oldest_of_all(connection: sqlite3.Connection, limit: int) -> int:
    """Remove the oldest sightings; once only the best ones of numbered people are left, the oldest of those.

    The people stay: they are recognised by the sums of their encodings.
    """
    removed = _remove_oldest(connection, "", [], limit)
    if removed:
        return removed
    ids = [
        row[0]
        for row in connection.execute(
            "SELECT id FROM sighting ORDER BY recorded, id LIMIT ?", (min(limit, STEP),)
        )
    ]
    delete_sightings(connection, ids)
    connection.executemany(
        "UPDATE person SET best = NULL, best_quality = -1 WHERE best = ?", [(one,) for one in ids]
    )
    return len(ids)


def _remove_oldest(
    connection: sqlite3.Connection, condition: str, values: list[float], limit: int = STEP
) -> int:
    """Remove the oldest sightings, a few at once, but never the best one of a numbered unknown person."""
    ids = [
        row[0]
        for row in connection.execute(
            "SELECT id FROM sighting WHERE NOT EXISTS (SELECT 1 FROM person WHERE person.id = sighting.person"
            f" AND best = sighting.id AND number IS NOT NULL) {condition} ORDER BY recorded, id LIMIT ?",
            (*values, min(limit, STEP)),
        )
    ]
    delete_sightings(connection, ids)
    return len(ids)
