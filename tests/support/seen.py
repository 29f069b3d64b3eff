"""Pictures of made-up people for the store of sightings, and clocks that tests set."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.sightings import Clocks, MemoryOptions, SeenFace, SeenPicture, SightingStore
from face_det.types import Box, Match, Outcome, Reason

FINGERPRINT = "sface:test"
DIMENSIONS = 128
NOON = 1_700_000_000.0
DAY_S = 86_400.0


class FakeTime:
    """A wall clock and a monotonic one, which stand still until they are set."""

    def __init__(self) -> None:
        self.wall, self.monotonic = NOON, 1000.0

    def clocks(self) -> Clocks:
        """The clocks, as a store takes them."""
        return Clocks(lambda: self.wall, lambda: self.monotonic)

    def go_on(self, seconds: float) -> None:
        """Let both go on."""
        self.wall += seconds
        self.monotonic += seconds


def person(seed: int, take: int = 0, blur: float = 0.3) -> npt.NDArray[np.float32]:
    """An encoding of length 1 of the person `seed`: of different takes, more alike than of two people."""
    centre = np.random.default_rng(seed).normal(size=DIMENSIONS)
    centre /= np.linalg.norm(centre)
    noise = np.random.default_rng([seed, take, 1]).normal(size=DIMENSIONS)
    mixed = centre + blur * noise / np.linalg.norm(noise)
    return np.asarray(mixed / np.linalg.norm(mixed), np.float32)


def thumbnail(seed: int, size: int = 2000) -> bytes:
    """Bytes in place of a JPEG: the store does not look into them."""
    return b"\xff\xd8" + np.random.default_rng(seed).bytes(size)


def face(encoding: npt.NDArray[np.float32] | None, name: str | None = None, **fields: Any) -> SeenFace:
    """A face of a stranger or, with a name, one that was answered `known`."""
    outcome = Outcome.UNKNOWN if name is None else Outcome.KNOWN
    known: dict[str, Any] = {
        "box": Box(10, 20, 110, 120),
        "score": 0.9,
        "outcome": outcome,
        "name": name,
        "probability": 0.9,
        "reason": Reason.UNRECOGNISED.value if name is None else None,
        "quality": 0.9,
        "norm": 15.0,
        "encoding": encoding,
        "thumbnail": None,
    }
    return SeenFace(**{**known, **fields})


def picture(*faces: SeenFace, **fields: Any) -> SeenPicture:
    """A picture with these faces, of the camera `door`, taken at noon."""
    known: dict[str, Any] = {
        "time": NOON,
        "camera": "door",
        "caller": "uid 1000",
        "frame": None,
        "fingerprint": FINGERPRINT,
        "faces": faces,
    }
    return SeenPicture(**{**known, **fields})


@contextmanager
def opened(folder: Path, time: FakeTime | None = None, **options: Any) -> Iterator[SightingStore]:
    """A store in this folder, closed at the end."""
    store = SightingStore(folder, MemoryOptions(**options), (time or FakeTime()).clocks())
    store.open()
    try:
        yield store
    finally:
        store.close(timeout_s=300)


def rows(store: SightingStore, query: str, *values: Any) -> list[dict[str, Any]]:
    """What a query finds once everything is recorded."""
    store.flush()
    return store.read(lambda connection: [dict(row) for row in connection.execute(query, values)])


def value(store: SightingStore, query: str, *values: Any) -> Any:
    """The first column of the first row that a query finds."""
    (first,) = rows(store, query, *values)[0].values()
    return first


def names_told(store: SightingStore) -> list[str]:
    """The names in the events that say who was seen, oldest first."""
    found = rows(store, "SELECT name FROM event WHERE type = 'seen' AND outcome = 'known' ORDER BY seq")
    return [row["name"] for row in found]


def files_with(folder: Path, secret: bytes) -> list[str]:
    """The files of a folder, the hidden ones included, in which these bytes are somewhere."""
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and secret in path.read_bytes()]


def is_sound(folder: Path) -> bool:
    """Tell whether the database passes SQLite's own check."""
    connection = sqlite3.connect(folder / "sightings.sqlite")
    try:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


def always(name: str | None) -> Any:
    """A decider that names everybody so; None: that nobody is recognised."""
    match = (
        Match(None, 0.1, Reason.UNRECOGNISED, Outcome.UNKNOWN)
        if name is None
        else Match(name, 0.9, None, Outcome.KNOWN)
    )
    return lambda fingerprint, encodings, qualities: [match] * len(encodings)
