"""Faces that are not somebody's: marked so by users, or of people who are ignored."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False, slots=True)
class NegativeExample:
    """A face that is not the person called `name` or, if that is None, nobody who is enrolled."""

    name: str | None
    fingerprint: str
    encoding: npt.NDArray[np.float64]
    quality: float | None


def read_negatives(connection: sqlite3.Connection) -> list[NegativeExample]:
    """Return all negative examples, oldest first."""
    rows = connection.execute("SELECT * FROM negative ORDER BY id").fetchall()
    return [
        NegativeExample(
            row["name"],
            row["fingerprint"],
            np.frombuffer(row["encoding"], "<f4").astype(float),
            row["quality"],
        )
        for row in rows
    ]


def count_negatives(connection: sqlite3.Connection) -> int:
    """Return a number that changes whenever negative examples are added or removed."""
    row = connection.execute("SELECT count(*), ifnull(max(id), 0) FROM negative").fetchone()
    return int(row[0]) * 1_000_003 + int(row[1])
