"""The pass over unknown people when nothing happens: it mends what depended on the order of sightings."""

from __future__ import annotations

import itertools
import sqlite3

import numpy as np

from face_det.sightings.mergers import UNKNOWN_STATE, merge_people
from face_det.sightings.people import UnknownPeople, rebuild_people
from face_det.sightings.reclustering import NOBODY, recluster
from face_det.training import cluster_parameters

MAX_SIGHTINGS = 20_000
"""The latest unknown sightings, which are asked again; a pass over as many takes some seconds."""


def reconsider_people(connection: sqlite3.Connection, people: UnknownPeople, fingerprint: str) -> int:
    """Ask the latest unknown sightings again to whom they belong; return how many moved.

    People whom a user has edited stay as they are. Where two people turn out to be one, the older number
    survives.
    """
    parameters = cluster_parameters(fingerprint)
    rows = connection.execute(
        "SELECT sighting.id, encoding, person, shapes, norm, quality, shot FROM sighting"
        " LEFT JOIN person ON person.id = sighting.person"
        " WHERE sighting.fingerprint = ? AND sighting.edited = 0 AND outcome IN ('unknown', 'uncertain')"
        " AND (person.id IS NULL OR (state = 'unknown' AND person.edited = 0))"
        " ORDER BY sighting.id DESC LIMIT ?",
        (fingerprint, MAX_SIGHTINGS),
    ).fetchall()
    if parameters is None or not rows:
        return 0
    before = [NOBODY if row["person"] is None else int(row["person"]) for row in rows]
    last = connection.execute(
        "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'person'"
    ).fetchone()[0]
    after = recluster(
        np.array([np.frombuffer(row["encoding"], "<f4") for row in rows]),
        before,
        [bool(row["shapes"]) for row in rows],
        (),
        _pairs_of_pictures(rows),
        parameters,
        int(last) + 1,
    ).tolist()
    changed: set[int] = set()
    for new in sorted({cluster for cluster in after if cluster > last}):
        connection.execute("INSERT INTO person (id, fingerprint) VALUES (?, ?)", (new, fingerprint))
    moved = 0
    for row, old, new in zip(rows, before, after, strict=True):
        if old != new:
            moved += 1
            connection.execute(
                "UPDATE sighting SET person = ? WHERE id = ?", (None if new == NOBODY else new, row["id"])
            )
            changed |= {old, new} - {NOBODY}
    merged = _merged(before, after)
    rebuild_people(connection, changed)
    for absorbed, kept in merged.items():
        _follow(connection, absorbed, kept)
    people.reload(connection)
    for person in changed:
        if connection.execute("SELECT 1 FROM person WHERE id = ? AND shaping > 1", (person,)).fetchone():
            people.mint(connection, person)
    return moved


def _pairs_of_pictures(rows: list[sqlite3.Row]) -> list[tuple[int, int]]:
    """Return the places of sightings that were in one picture, in pairs."""
    by_shot: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        by_shot.setdefault(row["shot"], []).append(place)
    return [pair for places in by_shot.values() for pair in itertools.combinations(places, 2)]


def _merged(before: list[int], after: list[int]) -> dict[int, int]:
    """Return who lost all sightings, and to whom most of them went."""
    left = {person for person in before if person != NOBODY} - {*after}
    heirs: dict[int, dict[int, int]] = {}
    for old, new in zip(before, after, strict=True):
        if old in left and new != NOBODY:
            counts = heirs.setdefault(old, {})
            counts[new] = counts.get(new, 0) + 1
    return {old: max(sorted(counts), key=lambda new: counts[new]) for old, counts in heirs.items()}


def _follow(connection: sqlite3.Connection, absorbed: int, kept: int) -> None:
    """Let somebody without sightings lead to whoever has them now; the older number survives."""
    rows = {
        row["id"]: row
        for row in connection.execute(
            "SELECT id, number, state FROM person WHERE id IN (?, ?)", (absorbed, kept)
        )
    }
    if len(rows) != 2 or any(row["state"] != UNKNOWN_STATE for row in rows.values()):
        return
    numbers = (rows[absorbed]["number"], rows[kept]["number"])
    if numbers[0] is not None and (numbers[1] is None or numbers[0] < numbers[1]):
        connection.execute("UPDATE person SET number = NULL WHERE id IN (?, ?)", (absorbed, kept))
        connection.execute("UPDATE person SET number = ? WHERE id = ?", (numbers[0], kept))
        connection.execute("UPDATE person SET number = ? WHERE id = ?", (numbers[1], absorbed))
    merge_people(connection, kept, absorbed)
