"""Decides past sightings again with a new model: a few at a time, latest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import numpy as np

from face_det.sightings.people import UnknownPeople, assign_again, rebuild_people
from face_det.sightings.recorder import Decide
from face_det.types import UNKNOWN, Match, Outcome

STEP = 250
"""How many sightings are decided at once."""


def rescore_before(connection: sqlite3.Connection, people: UnknownPeople, decide: Decide, before: int) -> int:
    """Decide the latest sightings with an id below `before` again; return the id to go on with, 0 at the end.

    What a user has said about a sighting stays. Sightings that turn out to be somebody enrolled leave the
    unknown person they were taken for, and come back if they turn out not to be, such as when that somebody
    is forgotten.
    """
    rows = connection.execute(
        "SELECT * FROM sighting WHERE id < ? AND encoding IS NOT NULL AND edited = 0"
        " ORDER BY id DESC LIMIT ?",
        (before, STEP),
    ).fetchall()
    changed = list(_decide_again(connection, decide, rows))
    known = [row for row, name in changed if name is not None and row["person"] is not None]
    nobody = [
        row for row, name in changed if name is None and row["name"] is not None and row["person"] is None
    ]
    moved = {row["person"] for row in known}
    for row in known:
        connection.execute("UPDATE sighting SET person = NULL, former = person WHERE id = ?", (row["id"],))
    homeless = []
    for row in nobody:
        back = _go_back(connection, row)
        if back is None:
            homeless.append(row)
        else:
            moved.add(back)
    if moved:
        rebuild_people(connection, moved)
        people.reload(connection)
    for row in reversed(homeless):
        assign_again(connection, people, row)
    return int(rows[-1]["id"]) if len(rows) == STEP else 0


def _decide_again(
    connection: sqlite3.Connection, decide: Decide, rows: Sequence[sqlite3.Row]
) -> Iterator[tuple[sqlite3.Row, str | None]]:
    """Write what is decided now; yield each sighting that changes, as it was, with its name now."""
    by_fingerprint: dict[str, list[sqlite3.Row]] = {}
    for row in rows:
        by_fingerprint.setdefault(row["fingerprint"], []).append(row)
    for fingerprint, some in by_fingerprint.items():
        encodings = [np.frombuffer(row["encoding"], "<f4").astype(float) for row in some]
        decided = decide(fingerprint, encodings, [row["quality"] for row in some])
        for row, match in zip(some, decided or (), strict=decided is not None):
            name, outcome, reason = _columns(match)
            if (name, outcome, reason) != (row["name"], row["outcome"], row["reason"]):
                connection.execute(
                    "UPDATE sighting SET name = ?, outcome = ?, probability = ?, reason = ? WHERE id = ?",
                    (name, outcome, match.probability, reason, row["id"]),
                )
                yield row, name


def _columns(match: Match) -> tuple[str | None, str | None, str | None]:
    name = match.name if match.outcome is Outcome.KNOWN and match.name != UNKNOWN else None
    outcome = None if match.outcome is None else match.outcome.value
    return name, outcome, None if match.reason is None else match.reason.value


def _go_back(connection: sqlite3.Connection, row: sqlite3.Row) -> int | None:
    """Give a sighting back to the unknown person it left; None if there was none, or is none any more."""
    former = connection.execute(
        "SELECT id FROM person WHERE id = ? AND state IN ('unknown', 'ignored')", (row["former"],)
    ).fetchone()
    if former is None:
        return None
    connection.execute("UPDATE sighting SET person = former, former = NULL WHERE id = ?", (row["id"],))
    return int(former["id"])
