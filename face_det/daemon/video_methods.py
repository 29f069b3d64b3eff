"""The methods about moving pictures: the next picture of a live camera, in order, and whole videos."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event

from face_det.budget import Budget
from face_det.daemon import logs
from face_det.daemon.latest_pictures import LatestPictures
from face_det.daemon.sighting_methods import describe_caller
from face_det.daemon.workers import Workers, give_way
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


class VideoBudget(Budget):
    """The budget of a video, whose time begins when its turn has come."""

    def __init__(self, give_way: Callable[[], None]) -> None:
        super().__init__(give_way=give_way)

    def begin(self, seconds: float) -> Budget:
        """Let it be over in so many seconds."""
        self._deadline = self._clock() + seconds
        return self


class VideoMethods:
    """The daemon's methods about moving pictures; `service` returns the one in use."""

    def __init__(
        self,
        service: Callable[[], Service],
        pictures: LatestPictures,
        workers: Workers,
        videos: Workers,
        quick: Workers,
        limit_s: float,
    ) -> None:
        self._service = service
        self._pictures = pictures
        self._videos = videos
        self._watched: set[Budget] = set()
        self._workers = workers
        self._quick = quick
        self._limit_s = limit_s
        self._turns = Turns()

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {"follow": self.follow, "recognize_video": self.recognize_video}

    def follow(self, image: Any, options: Any = None) -> Any:
        """Return the faces in the next picture of a live camera, each with its track."""
        caller = describe_caller()
        with logs.log_call(log, "follow", logging.DEBUG) as notes:
            given = require_follow_options(options)
            with self._turns.turn(stream_key(given, caller)):
                faces = self._workers.submit(
                    lambda: self._service().following.follow(image, options, notes, caller),
                    limit_s=self._limit_s,
                    notes=notes,
                )
            # What has a stream was not sent by whoever watches the camera.
            if isinstance(image, bytes) and given.get("camera") and not given.get("stream"):
                self._pictures.keep(given["camera"], image, given.get("time") or time.time())
            return faces

    def recognize_video(self, path: Any, options: Any = None) -> Any:
        """Return the people in a video (a path, or the bytes of a file), each once."""
        caller = describe_caller()
        # Waiting for another video takes none of its time: it counts from the first frame on.
        budget = VideoBudget(give_way)
        self._watched.add(budget)
        try:
            with logs.log_call(log, "recognize_video") as notes:
                return self._videos.submit(
                    lambda: self._service().videos.recognize_video(
                        path, options, notes, caller, budget.begin
                    ),
                    limit_s=self._limit_s,
                    notes=notes,
                    budget=budget,
                )
        finally:
            self._watched.discard(budget)

    def status(self) -> dict[str, int]:
        """Return how many videos are looked at and wait, and how many live streams are followed."""
        videos = self._videos.status()
        streams = self._service().following.streams
        return {key: videos[key] for key in ("running", "queue_depth")} | {"streams": streams}

    def stop(self) -> None:
        """Answer with what has been seen of the videos so far: the daemon stops."""
        for budget in self._watched:
            budget.cancel()

    def end_idle_streams(self) -> None:
        """Keep ending the streams of which no picture comes any more."""
        while True:
            gevent.sleep(CHECK_S)
            self._pictures.drop_old()
            following = self._service().following
            if following.streams:
                self._quick.submit(following.end_idle, limit_s=self._limit_s)
