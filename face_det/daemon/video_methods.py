"""The methods about moving pictures: the next picture of a live camera, in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event

from face_det.daemon import logs
from face_det.daemon.sighting_methods import describe_caller
from face_det.daemon.workers import Workers
from face_det.errors import Busy
from face_det.service import StreamKey, require_follow_options, stream_key

if TYPE_CHECKING:
    from face_det.service import Service

log = logging.getLogger(__name__)

MAX_WAITING = 8
"""The most pictures of one stream that wait; whoever sends more should drop some instead."""
CHECK_S = 5.0
"""How often streams of which no picture comes any more are looked for."""


class Turns:
    """Lets the pictures of a stream through one at a time, in the order in which they came.

    They wait here, on the hub, so that none keeps a worker from other calls.
    """

    def __init__(self) -> None:
        self._last: dict[StreamKey, Event] = {}
        self._waiting: dict[StreamKey, int] = {}

    @contextmanager
    def turn(self, key: StreamKey) -> Iterator[None]:
        """Wait for one's turn; raise Busy if too many wait."""
        waiting = self._waiting.get(key, 0)
        if waiting > MAX_WAITING:
            raise Busy(f"{MAX_WAITING} pictures of this camera are waiting; drop some and send the latest")
        before, done = self._last.get(key), Event()
        self._last[key], self._waiting[key] = done, waiting + 1
        try:
            if before is not None:
                before.wait()
            yield
        finally:
            self._leave(key, before, done)

    def _leave(self, key: StreamKey, before: Event | None, done: Event) -> None:
        if before is not None and not before.is_set():
            # The caller has gone while it waited: whoever comes next waits for the one before.
            before.rawlink(lambda _: done.set())
            if self._last[key] is done:
                self._last[key] = before
        else:
            done.set()
            if self._last[key] is done:
                del self._last[key]
        self._waiting[key] -= 1
        if not self._waiting[key]:
            del self._waiting[key]


class VideoMethods:
    """The daemon's methods about moving pictures; `service` returns the one in use."""

    def __init__(
        self, service: Callable[[], Service], workers: Workers, quick: Workers, limit_s: float
    ) -> None:
        self._service = service
        self._workers = workers
        self._quick = quick
        self._limit_s = limit_s
        self._turns = Turns()

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {"follow": self.follow}

    def follow(self, image: Any, options: Any = None) -> Any:
        """Return the faces in the next picture of a live camera, each with its track."""
        caller = describe_caller()
        with logs.log_call(log, "follow", logging.DEBUG) as notes:
            key = stream_key(require_follow_options(options), caller)
            with self._turns.turn(key):
                return self._workers.submit(
                    lambda: self._service().following.follow(image, options, notes, caller),
                    limit_s=self._limit_s,
                    notes=notes,
                )

    def end_idle_streams(self) -> None:
        """Keep ending the streams of which no picture comes any more."""
        while True:
            gevent.sleep(CHECK_S)
            following = self._service().following
            if following.streams:
                self._quick.submit(following.end_idle, limit_s=self._limit_s)
