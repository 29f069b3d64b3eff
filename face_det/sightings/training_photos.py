"""Which sightings of a person make good training photos: clear ones, and different from each other."""

from __future__ import annotations

import sqlite3
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
    """Return the best and most different sightings of a person, best first; at least the best of all.

    The first is the one of the best quality, and each further one has the largest product of its quality and
    its distance to the nearest one so far (Gonzalez, "Clustering to minimize the maximum intercluster
    distance", 1985).
    """
    rows = connection.execute(
        "SELECT sighting.id, quality, encoding, jpeg FROM sighting"
        " JOIN thumbnail ON thumbnail.sighting = sighting.id"
        " WHERE person = ? AND encoding IS NOT NULL ORDER BY quality DESC, sighting.id LIMIT ?",
        (person, CANDIDATES),
    ).fetchall()
    clear = [row for row in rows if (row["quality"] or 0.0) >= MIN_QUALITY] or rows[:1]
    if not clear:
        return []
    encodings = np.array([_unit(row["encoding"]) for row in clear])
    qualities = np.array([row["quality"] or MIN_QUALITY for row in clear])
    chosen = [0]
    nearest = encodings @ encodings[0]
    while len(chosen) < min(limit, len(clear)):
        worth = qualities * (1 - nearest)
        worth[nearest > SAME_COSINE] = -1.0
        best = int(worth.argmax())
        if worth[best] < 0:
            break
        chosen.append(best)
        nearest = np.maximum(nearest, encodings @ encodings[best])
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


def _unit(data: bytes) -> npt.NDArray[np.float64]:
    encoding = np.frombuffer(data, "<f4").astype(float)
    return encoding / max(float(np.linalg.norm(encoding)), 1e-12)
