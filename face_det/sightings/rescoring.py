"""Past sightings, decided again by a new model: a few at a time, the latest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np

from face_det.sightings.people import cluster_parameters, rebuild_person
from face_det.sightings.recorder import Decide
from face_det.types import UNKNOWN, Match, Outcome

STEP = 250
"""How many sightings are decided at once."""


def rescore_before(connection: sqlite3.Connection, decide: Decide, before: int) -> tuple[int, bool]:
    """Decide the latest sightings with an id below `before` again.

    Return the id to go on with, 0 at the end, and whether unknown people changed. What a user has said about
    a sighting stays. Sightings that turn out to be somebody enrolled leave the unknown person they were taken
    for.
    """
    rows = connection.execute(
        "SELECT id, fingerprint, encoding, quality, outcome, name, probability, reason, person FROM sighting"
        " WHERE id < ? AND encoding IS NOT NULL AND edited = 0 ORDER BY id DESC LIMIT ?",
        (before, STEP),
    ).fetchall()
    by_fingerprint: dict[str, list[sqlite3.Row]] = {}
    for row in rows:
        by_fingerprint.setdefault(row["fingerprint"], []).append(row)
    left: set[int] = set()
    for fingerprint, some in by_fingerprint.items():
        encodings = [np.frombuffer(row["encoding"], "<f4").astype(float) for row in some]
        decided = decide(fingerprint, encodings, [row["quality"] for row in some])
        if decided is not None:
            left |= _update(connection, some, decided)
    for person in left:
        row = connection.execute("SELECT fingerprint FROM person WHERE id = ?", (person,)).fetchone()
        if row is not None:
            rebuild_person(connection, person, cluster_parameters(row["fingerprint"]))
    return int(rows[-1]["id"]) if len(rows) == STEP else 0, bool(left)


def _update(
    connection: sqlite3.Connection, rows: Sequence[sqlite3.Row], decided: Sequence[Match]
) -> set[int]:
    """Write what was decided; return the unknown people whom sightings have left."""
    left = set()
    for row, match in zip(rows, decided, strict=True):
        name = match.name if match.outcome is Outcome.KNOWN and match.name != UNKNOWN else None
        outcome = None if match.outcome is None else match.outcome.value
        reason = None if match.reason is None else match.reason.value
        if (name, outcome, reason) == (row["name"], row["outcome"], row["reason"]):
            continue
        connection.execute(
            "UPDATE sighting SET name = ?, outcome = ?, probability = ?, reason = ? WHERE id = ?",
            (name, outcome, match.probability, reason, row["id"]),
        )
        if name is not None and row["person"] is not None:
            connection.execute("UPDATE sighting SET person = NULL, shapes = 0 WHERE id = ?", (row["id"],))
            left.add(row["person"])
    return left
