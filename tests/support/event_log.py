"""What the daemon answers to a bridge: events, cursors, people and faces."""

from __future__ import annotations

import asyncio
import time

from face_det.errors import CursorTaken, UnknownSighting, Unreachable

FACE = b"\xff\xd8 a face"


class EventLog:
    """The verbs that bridges use, with the events that a test appends."""

    def __init__(self):
        self.name, self.events, self.cursors, self.people = "log-1", [], {}, ["Alice"]
        self.away = False
        self.owners, self.counts = {}, {}
        self.held: set[str] = set()
        self.calls: list[str] = []

    def append(self, kind="seen", camera="front", *, age_s=0.0, name="Alice", visit=1, **more):
        """Append an event that happened so many seconds ago."""
        seq = len(self.events) + 1
        event = {
            **{"seq": seq, "time": time.time() - age_s, "type": kind, "camera": camera, "visit": visit},
            **{"sighting": None, "outcome": None, "name": name if kind == "heard" else None, "unknown": None},
        }
        if kind in ("seen", "corroborated"):
            outcome = "known" if name else "unknown"
            event |= {"sighting": seq, "outcome": outcome, "name": name, "probability": 0.9, "quality": 0.5}
        self.events.append({**event, **more})
        return seq

    async def call(self, verb, *args, timeout_s=None):
        self.calls.append(verb)
        moves = verb == "cursor" and len(args) > 1 and isinstance(args[1], int)
        while verb in self.held or (moves and "move" in self.held):
            await asyncio.sleep(0.01)
        if self.away:
            raise Unreachable("nobody answers")
        return await getattr(self, f"_{verb}")(*args)

    async def _cursor(self, name, seq=None, options=None):
        if options is not None:
            self._take(name, **options)
        if seq == "newest":
            return self.cursors.setdefault(name, len(self.events))
        if seq is not None:
            self.cursors[name] = seq
        return self.cursors.get(name, 0)

    def _take(self, name, owner, leaseS=60, counts=None):
        """A lease that never runs out; real ones are tested with a real daemon."""
        if self.owners.get(name, owner) != owner:
            raise CursorTaken(f"cursor {name}: another program on nuc uses it; wait")
        self.owners[name] = owner
        self.counts[name] = counts
        if not leaseS:
            del self.owners[name]

    async def _events(self, after, wait_s):
        end = time.monotonic() + wait_s
        while len(self.events) <= after and time.monotonic() < end:
            await asyncio.sleep(0.01)
        found = self.events[after : after + 1000]
        return {"events": found, "last": found[-1]["seq"] if found else after, "log": self.name}

    async def _people(self):
        return [{"name": name} for name in self.people]

    async def _status(self):
        return {}

    async def _sighting(self, sighting):
        return {"id": sighting, "faceBox": {"xmin": 10.4, "ymin": 20.0, "xmax": 60.0, "ymax": 80.6}}

    async def _thumbnail(self, sighting):
        if sighting == 404:
            raise UnknownSighting("it is gone")
        return FACE + str(sighting).encode()
