"""Finds sightings without a name that show a given person, by the rule that names faces."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from face_det.sightings.mergers import IGNORED_STATE, NAMED_STATE, UNKNOWN_STATE
from face_det.sightings.recorder import Decide
from face_det.sightings.visits import FRAMES_PER_TRACK, Track
from face_det.types import Outcome

STEP = 1000
"""How many faces are decided at once."""


@dataclass(slots=True)
class Recognised:
    """The sightings and the unknown people, as ids of their rows, who are somebody without the name.

    `not_compared` counts the sightings without a name that cannot be compared: they have no encoding, or one
    of another embedder.
    """

    sightings: list[int] = field(default_factory=list)
    persons: list[int] = field(default_factory=list)
    not_compared: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class _Asked:
    """An encoding to be decided, with the id of the row that it belongs to."""

    id: int
    fingerprint: str
    encoding: npt.NDArray[np.float64] | None
    quality: float | None


def find_recognised(connection: sqlite3.Connection, decide: Decide, name: str) -> Recognised:
    """Find the sightings without a name that `decide` gives this name.

    All sightings of an unknown person count if together they are given the name, fused as the frames of one
    visit are. What a user has said is not questioned: other names, and who is ignored.
    """
    found = Recognised()
    for some in _unnamed(connection):
        for one, given in _decide(decide, some):
            if given is None:
                found.not_compared += 1
            elif given == name:
                found.sightings.append(one.id)
    people = connection.execute(
        "SELECT id, fingerprint FROM person WHERE state = ? AND sightings > 1 ORDER BY id", (UNKNOWN_STATE,)
    ).fetchall()
    for start in range(0, len(people), STEP):
        fused = (_fuse(connection, row) for row in people[start : start + STEP])
        for one, given in _decide(decide, [one for one in fused if one is not None]):
            if given == name:
                found.persons.append(one.id)
    return found


def _unnamed(connection: sqlite3.Connection) -> Iterator[Sequence[_Asked]]:
    """Yield the sightings without a name, a few at a time."""
    last = 0
    while True:
        rows = connection.execute(
            "SELECT sighting.id, sighting.fingerprint, encoding, quality FROM sighting"
            " LEFT JOIN person ON person.id = sighting.person"
            " WHERE sighting.id > ? AND sighting.name IS NULL AND ifnull(state, '') NOT IN (?, ?)"
            " ORDER BY sighting.id LIMIT ?",
            (last, NAMED_STATE, IGNORED_STATE, STEP),
        ).fetchall()
        if not rows:
            return
        yield [_asked(row) for row in rows]
        last = rows[-1]["id"]


def _fuse(connection: sqlite3.Connection, person: sqlite3.Row) -> _Asked | None:
    """Return one encoding for all sightings of a person; None if there are none."""
    rows = connection.execute(
        "SELECT encoding, quality FROM sighting WHERE person = ? AND encoding IS NOT NULL"
        " ORDER BY quality DESC, id LIMIT ?",
        (person["id"], FRAMES_PER_TRACK),
    ).fetchall()
    if not rows:
        return None
    frames = [(1.0 if row["quality"] is None else row["quality"], _vector(row["encoding"])) for row in rows]
    best = max((row["quality"] for row in rows if row["quality"] is not None), default=None)
    return _Asked(person["id"], person["fingerprint"], Track(0, frames).fused(), best)


def _decide(decide: Decide, asked: Iterable[_Asked]) -> Iterator[tuple[_Asked, str | None]]:
    """Yield each with the name that it is given: "" if it is nobody's, None if it cannot be compared."""
    by_fingerprint: dict[str, list[_Asked]] = {}
    for one in asked:
        if one.encoding is None:
            yield one, None
        else:
            by_fingerprint.setdefault(one.fingerprint, []).append(one)
    for fingerprint, some in by_fingerprint.items():
        encodings = [one.encoding for one in some if one.encoding is not None]
        decided = decide(fingerprint, encodings, [one.quality for one in some])
        for place, one in enumerate(some):
            match = None if decided is None else decided[place]
            if match is None:
                yield one, None
            else:
                yield one, match.name or "" if match.outcome is Outcome.KNOWN else ""


def _asked(row: sqlite3.Row) -> _Asked:
    encoding = None if row["encoding"] is None else _vector(row["encoding"])
    return _Asked(row["id"], row["fingerprint"], encoding, row["quality"])


def _vector(data: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(data, "<f4").astype(float)
