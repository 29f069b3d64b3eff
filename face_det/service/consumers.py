"""The events, and the consumers that read them: how far each is, and which program may move its cursor."""

from __future__ import annotations

import sqlite3
from typing import Any

from face_det.service import sighting_arguments as checked
from face_det.service import wire
from face_det.sightings import (
    Leases,
    SightingStore,
    begin_cursor,
    read_cursor,
    read_events,
    write_cursor,
)


class Consumers:
    """The events of a store, and the cursors that its consumers keep there."""

    def __init__(self, store: SightingStore) -> None:
        self._store = store
        self._leases = Leases(store.clocks.monotonic)

    def events(self, after: int) -> dict[str, Any]:
        """Return the events after a number, oldest first."""
        return self._store.read(lambda connection: read_events(connection, after))

    def cursor(self, consumer: object, seq: object = None, options: object = None) -> int:
        """Return a consumer's last event, by number; with `seq`, a number or "newest", set it first.

        `options` may hold a lease; raises CursorTaken if another program has one.
        """
        name, now = checked.parse_consumer(consumer), self._store.now()
        lease = checked.parse_lease(options)
        number = None if seq in (None, checked.NEWEST) else wire.require_number(seq, "seq")
        if lease is None and seq is None:
            return self._store.read(lambda connection: read_cursor(connection, name))

        def change(connection: sqlite3.Connection) -> int:
            if lease is not None:
                self._leases.take(connection, name, lease, now)
            if number is not None:
                write_cursor(connection, name, number, now)
            elif seq is not None:
                return begin_cursor(connection, name, now)
            return read_cursor(connection, name)

        return self._store.write(change)

    def status(self) -> dict[str, Any]:
        """Return the store's status, with who uses each cursor."""
        fields = self._store.status()
        for name, about in self._leases.describe().items():
            if name in fields.get("consumers", {}):
                fields["consumers"][name] |= about
                _count_waiting(fields["consumers"][name])
        return fields


def _count_waiting(about: dict[str, Any]) -> None:
    """Say how far behind a consumer is whose cursor is a time: it counts what waits itself."""
    if about["behind"] is None and "waiting" in about["counts"]:
        about["behind"] = about["counts"]["waiting"]
        if not about["behind"]:
            about["behind_s"] = 0.0
