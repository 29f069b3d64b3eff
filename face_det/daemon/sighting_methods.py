"""The methods about who was seen: pages of sightings, unknown people, and events that callers wait for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import gevent
from gevent.event import Event

from face_det.daemon import logs
from face_det.daemon.workers import Workers
from face_det.errors import BadRequest, SightingsOff
from face_det.rpc import CURRENT_CALLER, Caller
from face_det.service import require_number

if TYPE_CHECKING:
    from face_det.service import Corrections, Memory

T = TypeVar("T")

log = logging.getLogger(__name__)

SIGHTINGS_OFF = 'nothing is remembered: set "sightings": {} in config.json and reload'
MAX_WAIT_S = 300.0
"""The longest that `events` waits; a caller that wants to wait longer calls again."""


class EventWaiters:
    """Wakes greenlets that wait for events, from any thread."""

    def __init__(self) -> None:
        self._loop = gevent.get_hub().loop
        self._event = Event()
        self._closed = False

    def notify(self) -> None:
        """Wake all who wait; any thread may call this."""
        self._loop.run_callback_threadsafe(self._wake)

    def close(self) -> None:
        """Wake all who wait, and let nobody wait any more."""
        self._closed = True
        self._wake()

    def current(self) -> Event:
        """Return what is set when something happens from now on."""
        return self._event

    @property
    def closed(self) -> bool:
        """True once nobody is to wait any more."""
        return self._closed

    def _wake(self) -> None:
        event, self._event = self._event, Event()
        event.set()


class SightingMethods:
    """The daemon's methods that read sightings; `memory` returns what is in use, or None."""

    def __init__(self, memory: Callable[[], Memory | None], quick: Workers, limit_s: float) -> None:
        self._memory = memory
        self._quick = quick
        self._limit_s = limit_s
        self.waiters = EventWaiters()

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "sightings": self.sightings,
            "sighting": self.sighting,
            "thumbnail": self.thumbnail,
            "picture": self.picture,
            "unknowns": self.unknowns,
            "events": self.events,
            "cursor": self.cursor,
        }

    def sightings(self, query: Any = None) -> Any:
        """Return a page of sightings, newest first."""
        return self._ask("sightings", lambda memory: memory.sightings(query))

    def sighting(self, id: Any) -> Any:
        """Return everything that is kept of a sighting, except its pictures."""
        return self._ask("sighting", lambda memory: memory.sighting(id))

    def thumbnail(self, id: Any) -> Any:
        """Return the face of a sighting as a JPEG."""
        return self._ask("thumbnail", lambda memory: memory.thumbnail(id))

    def picture(self, id: Any) -> Any:
        """Return the whole picture of a sighting as a JPEG, if it was kept."""
        return self._ask("picture", lambda memory: memory.picture(id))

    def unknowns(self) -> Any:
        """List the unknown people, most often seen first."""
        return self._ask("unknowns", lambda memory: memory.unknowns())

    def events(self, after: Any, wait_s: Any = 0) -> Any:
        """Return what happened after event number `after`; wait up to `wait_s` seconds for something."""
        number, patience_s = require_number(after, "after"), _require_wait(wait_s)
        end = time.monotonic() + min(patience_s, MAX_WAIT_S)
        while True:
            # Taken before reading, so that nothing in between is missed.
            happened = self.waiters.current()
            answer = self._ask("events", lambda memory: memory.consumers.events(number))
            left_s = end - time.monotonic()
            if answer["events"] or left_s <= 0 or self.waiters.closed:
                return answer
            happened.wait(left_s)

    def cursor(self, consumer: Any, seq: Any = None, options: Any = None) -> Any:
        """Return the number of the last event that a consumer has dealt with; with `seq`, set it."""
        return self._ask("cursor", lambda memory: memory.consumers.cursor(consumer, seq, options))

    def _ask(self, verb: str, ask: Callable[[Memory], T]) -> T:
        memory = self._memory()
        if memory is None:
            raise SightingsOff(SIGHTINGS_OFF)
        with logs.log_call(log, verb, logging.DEBUG) as notes:
            return self._quick.submit(lambda: ask(memory), limit_s=self._limit_s, notes=notes)


class CorrectionMethods:
    """The daemon's methods by which users correct what is remembered.

    `learn` runs them on the thread of everything that changes the model, with lines in the audit log.
    """

    def __init__(self, corrections: Callable[[], Corrections | None], learn: Callable[..., Any]) -> None:
        self._corrections = corrections
        self._learn = learn

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "name_unknown": self.name_unknown,
            "merge": self.merge,
            "split": self.split,
            "ignore": self.ignore,
            "confirm": self.confirm,
            "correct": self.correct,
            "undo": self.undo,
        }

    def name_unknown(self, id: Any, name: Any) -> Any:
        """Give an unknown person a name, and recognise them from the next call on."""
        return self._run("name_unknown", lambda one, caller: one.name_unknown(id, name, caller), name)

    def merge(self, ids: Any) -> Any:
        """Merge several unknown people into one; the oldest number is kept."""
        return self._run("merge", lambda one, caller: one.merge(ids, caller))

    def split(self, id: Any, sighting_ids: Any) -> Any:
        """Split some sightings of an unknown person off into a new one."""
        return self._run("split", lambda one, caller: one.split(id, sighting_ids, caller))

    def ignore(self, id: Any) -> Any:
        """Stop reporting an unknown person, and never give that face a name."""
        return self._run("ignore", lambda one, caller: one.ignore(id, caller))

    def confirm(self, id: Any, name: Any) -> Any:
        """Confirm that a sighting shows this person."""
        return self._run("confirm", lambda one, caller: one.confirm(id, name, caller), name)

    def correct(self, id: Any, name: Any = None) -> Any:
        """Say that a sighting shows somebody else: this person or, without a name, nobody known."""
        return self._run("correct", lambda one, caller: one.correct(id, name, caller), name)

    def undo(self, change: Any) -> Any:
        """Undo a change."""
        return self._run("undo", lambda one, caller: one.undo(change, caller))

    def _run(self, verb: str, run: Callable[[Corrections, str], T], name: Any = None) -> T:
        corrections = self._corrections()
        if corrections is None:
            raise SightingsOff(SIGHTINGS_OFF)
        caller = describe_caller()
        with logs.log_call(log, verb) as notes:
            result: T = self._learn(verb, lambda: run(corrections, caller), notes, name=name)
            return result


def describe_caller() -> str:
    """Describe the current caller for a sighting: the key's name, the address, or the user."""
    caller = CURRENT_CALLER.get() or Caller("rpc")
    if caller.key is not None:
        return f"key {caller.key}"
    if caller.peer is not None:
        return f"address {caller.peer}"
    return caller.door if caller.uid is None else f"uid {caller.uid}"


def _require_wait(wait_s: object) -> float:
    if isinstance(wait_s, bool) or not isinstance(wait_s, (int, float)) or not wait_s >= 0:
        raise BadRequest(f"wait_s: must be a number of seconds from 0, got {wait_s!r:.60}")
    return float(wait_s)
