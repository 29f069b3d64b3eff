"""Two people who turn out to be one: who survives, what moves over, and where an old number leads."""

from __future__ import annotations

import sqlite3

from face_det.sightings.schema import LIST_CAMERAS

UNKNOWN_STATE, NAMED_STATE, IGNORED_STATE, MERGED_STATE = "unknown", "named", "ignored", "merged"
SHARED_SHOTS = 2000
"""How many of a person's latest pictures are searched for somebody with whom they might be merged."""


def who_survives(connection: sqlite3.Connection, one: int, other: int) -> int | None:
    """Return which of two people survives a merger by evidence; None if they must stay apart.

    The older number survives or, without numbers, the older row. People whom a user has edited stay as they
    are, though newcomers without a number may still join them. Two people in one picture are not one.
    """
    rows = connection.execute("SELECT * FROM person WHERE id IN (?, ?)", (one, other)).fetchall()
    if len(rows) != 2 or any(row["state"] != UNKNOWN_STATE for row in rows):
        return None
    kept, absorbed = sorted(rows, key=lambda row: (not row["edited"], row["number"] or 2**62, row["id"]))
    if absorbed["edited"] or (kept["edited"] and absorbed["number"] is not None):
        return None
    return None if seen_together(connection, one, other) else int(kept["id"])


def seen_together(connection: sqlite3.Connection, one: int, other: int) -> bool:
    """Tell whether two people were seen in one picture."""
    found = connection.execute(
        "SELECT 1 FROM (SELECT shot FROM sighting WHERE person = ? ORDER BY time DESC, id DESC LIMIT ?)"
        " JOIN sighting USING (shot) WHERE person = ? LIMIT 1",
        (one, SHARED_SHOTS, other),
    ).fetchone()
    return found is not None


def merge_people(connection: sqlite3.Connection, kept: int, absorbed: int) -> None:
    """Give a person's sightings to another one, who survives. The caller saves the sum of encodings."""
    shared = connection.execute(
        "SELECT count(*) FROM person_visit JOIN person_visit AS other USING (visit)"
        " WHERE person_visit.person = ? AND other.person = ?",
        (kept, absorbed),
    ).fetchone()[0]
    connection.execute("UPDATE sighting SET person = ? WHERE person = ?", (kept, absorbed))
    for table, column in (("person_camera", "camera"), ("person_visit", "visit")):
        connection.execute(
            f"INSERT INTO {table} SELECT ?, {column}, sightings FROM {table} WHERE person = ?"
            f" ON CONFLICT (person, {column}) DO UPDATE SET sightings = sightings + excluded.sightings",
            (kept, absorbed),
        )
        connection.execute(f"DELETE FROM {table} WHERE person = ?", (absorbed,))
    connection.execute(
        "UPDATE person SET sightings = person.sightings + other.sightings,"
        " visits = person.visits + other.visits - ?3,"
        " first = min(ifnull(person.first, other.first), ifnull(other.first, person.first)),"
        " last = max(ifnull(person.last, other.last), ifnull(other.last, person.last)),"
        " recorded = max(ifnull(person.recorded, other.recorded), ifnull(other.recorded, person.recorded)),"
        " best = CASE WHEN other.best_quality > person.best_quality THEN other.best ELSE person.best END,"
        " best_quality = max(person.best_quality, other.best_quality)"
        " FROM (SELECT * FROM person WHERE id = ?2) AS other WHERE person.id = ?1",
        (kept, absorbed, shared),
    )
    list_cameras(connection, kept)
    connection.execute(
        "UPDATE person SET state = 'merged', merged_into = ?, shaping = 0, sum = NULL, sightings = 0,"
        " visits = 0, best = NULL, cameras = '[]' WHERE id = ?",
        (kept, absorbed),
    )


def list_cameras(connection: sqlite3.Connection, person: int) -> None:
    """Write the cameras that saw a person into the person's row, the one that did most often first."""
    connection.execute(f"{LIST_CAMERAS} WHERE id = ?", (person,))


def resolve_person(connection: sqlite3.Connection, number: int) -> sqlite3.Row | None:
    """Return the row of an unknown person by number, following mergers; None if there is none."""
    return follow_mergers(connection, "number", number)


def follow_mergers(connection: sqlite3.Connection, column: str, value: int) -> sqlite3.Row | None:
    """Return the row of the person with this `id` or `number`, or of whom that person was merged into."""
    query = f"SELECT * FROM person WHERE {column} = ?"
    row: sqlite3.Row | None = connection.execute(query, (value,)).fetchone()
    while row is not None and row["state"] == MERGED_STATE:
        row = connection.execute("SELECT * FROM person WHERE id = ?", (row["merged_into"],)).fetchone()
    return row
