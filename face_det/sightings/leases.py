"""Leases: which program may move a consumer's cursor, so that two programs with one do nothing twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from face_det.errors import CursorTaken

LEASE_S = 60.0
"""How long a lease lasts unless it is renewed."""


@dataclass(frozen=True, slots=True)
class Lease:
    """What a program asks for: `owner` stands for it, and 0 `seconds` end its lease.

    Others are told what stands before the first space of `owner`, its host, say. `counts` has what the
    program has counted since it started, by name, for whoever monitors it.
    """

    owner: str
    seconds: float = LEASE_S
    counts: Mapping[str, int] = field(default_factory=dict)


class Leases:
    """The leases of a database. Each consumer's cursor has one owner at most.

    The database keeps the owners, and how long a lease still lasts is kept in memory. So a clock that is
    set ends none, and after a restart of the daemon each owner has a whole lease's time to come back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until: dict[str, tuple[str, float]] = {}
        self._counts: dict[str, Mapping[str, int]] = {}

    def take(self, connection: sqlite3.Connection, consumer: str, lease: Lease, now: float) -> None:
        """Begin, renew or end a lease, in a transaction of the writer's; `now` is in seconds since 1970.

        Raises CursorTaken if it is another's, who has renewed it in time.
        """
        row = connection.execute("SELECT owner FROM lease WHERE consumer = ?", (consumer,)).fetchone()
        kept = None if row is None else row["owner"]
        # Without a row, too: retention may have removed it, or the database was damaged and replaced.
        owner = self._until[consumer][0] if kept is None and consumer in self._until else kept
        if owner not in (None, lease.owner) and (left_s := self._left_s(consumer, owner)) > 0:
            raise CursorTaken(
                f"cursor {consumer}: another program on {_label(owner)} uses it; "
                f"wait until that one ends, or {left_s:.0f} s if it was killed"
            )
        if not lease.seconds:
            connection.execute("DELETE FROM lease WHERE consumer = ?", (consumer,))
            self._until.pop(consumer, None)
            self._counts.pop(consumer, None)
            return
        if kept != lease.owner:
            connection.execute("INSERT OR REPLACE INTO lease VALUES (?, ?, ?)", (consumer, lease.owner, now))
        self._until[consumer] = lease.owner, self._monotonic() + lease.seconds
        self._counts[consumer] = lease.counts

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return each consumer that has an owner now, with the owner's label and what it has counted."""
        now = self._monotonic()
        return {
            consumer: {"owner": _label(owner), "counts": dict(self._counts.get(consumer, {}))}
            for consumer, (owner, until) in list(self._until.items())
            if until > now
        }

    def _left_s(self, consumer: str, owner: str) -> float:
        held_by, until = self._until.get(consumer, ("", 0.0))
        if held_by != owner:
            until = self._monotonic() + LEASE_S
            self._until[consumer] = owner, until
        return until - self._monotonic()


def _label(owner: str) -> str:
    return owner.split(" ", 1)[0]
