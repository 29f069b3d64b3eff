"""Which sightings of a person make good training photos: clear ones, and different from each other."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MAX_PHOTOS = 6
MIN_QUALITY = 0.5
"""Faces of lower quality are recognised so rarely that they would only attract strangers."""
CANDIDATES = 200
SAME_COSINE = 0.95
"""Faces as similar as this are frames of one moment, of which one is enough."""


@dataclass(frozen=True, eq=False, slots=True)
class TrainingPhoto:
    """A sighting with its thumbnail, a JPEG."""

    sighting: int
    jpeg: bytes


def choose_photos(
    connection: sqlite3.Connection, person: int, limit: int = MAX_PHOTOS
) -> list[TrainingPhoto]:
    """Return the best and most different sightings of a person, best first; at least the best of all."""
    rows = connection.execute(
        "SELECT sighting.id, quality, encoding, jpeg FROM sighting"
        " JOIN thumbnail ON thumbnail.sighting = sighting.id"
        " WHERE person = ? AND encoding IS NOT NULL ORDER BY quality DESC, sighting.id LIMIT ?",
        (person, CANDIDATES),
    ).fetchall()
    clear = [row for row in rows if (row["quality"] or 0.0) >= MIN_QUALITY] or rows[:1]
    if not clear:
        return []
    encodings = np.array([np.frombuffer(row["encoding"], "<f4") for row in clear])
    chosen = choose_different(encodings, [row["quality"] or MIN_QUALITY for row in clear], limit)
    return [TrainingPhoto(clear[index]["id"], bytes(clear[index]["jpeg"])) for index in chosen]


def photo_of(connection: sqlite3.Connection, sighting: int) -> TrainingPhoto | None:
    """Return a sighting's thumbnail as a training photo, if the face is clear enough for one."""
    row = connection.execute(
        "SELECT quality, jpeg FROM sighting JOIN thumbnail ON thumbnail.sighting = sighting.id"
        " WHERE sighting.id = ? AND encoding IS NOT NULL",
        (sighting,),
    ).fetchone()
    if row is None or (row["quality"] or 0.0) < MIN_QUALITY:
        return None
    return TrainingPhoto(sighting, bytes(row["jpeg"]))


def choose_different(
    encodings: npt.ArrayLike, qualities: npt.ArrayLike, limit: int, kept: Sequence[int] = ()
) -> list[int]:
    """Return which faces of a person to take, at most `limit`: the best, and those most unlike it.

    `encodings` have the shape (n, dimensions), `qualities` (n,) lie in 0..1. Those in `kept` are taken
    before any other. The first other one is that of the best quality, and each further one has the largest
    product of its quality and its distance to the nearest one so far (Gonzalez, "Clustering to minimize the
    maximum intercluster distance", 1985); what is as similar as SAME_COSINE to one of them is left out.

    >>> choose_different(np.eye(3)[[0, 0, 1, 2]], [0.8, 0.9, 0.6, 0.7], limit=3)
    [1, 3, 2]
    """
    vectors = np.asarray(encodings, np.float64)
    good = np.asarray(qualities, np.float64)
    if not len(vectors):
        return []
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    chosen = list(kept) or [int(good.argmax())]
    nearest = (vectors @ vectors[chosen].T).max(axis=1)
    nearest[chosen] = 1.0
    while len(chosen) < min(limit, len(good)):
        worth = good * (1 - nearest)
        worth[nearest > SAME_COSINE] = -1.0
        best = int(worth.argmax())
        if worth[best] < 0:
            break
        chosen.append(best)
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen
