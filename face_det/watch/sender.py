"""Sends the cameras' pictures to the daemon, each camera in its turn."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from typing import Any, Protocol

from face_det.cameras import CameraPicture
from face_det.errors import Busy, FaceDetError, Unreachable
from face_det.watch.camera import WatchedCamera

log = logging.getLogger(__name__)

MAX_AGE_S = 2.0
"""An older picture is dropped, and not waited for: its answer would be about somebody who has gone."""
IN_FLIGHT = 2
"""So many pictures are with the daemon at a time: one is computed while the next one travels. After a late
answer it is one, until a picture is answered in half the time it has: the second would wait for the first,
and on a machine that is much too slow both would be late, again and again."""
BUSY_PAUSES_S = (0.1, 2.0)
AWAY_PAUSES_S = (0.5, 5.0)
"""The first and the longest pause after the daemon was busy, or did not answer."""


class Daemon(Protocol):
    """Whatever calls the daemon's verbs: an AsyncClient."""

    async def call(self, verb: str, *args: Any, timeout_s: float | None = None) -> Any:
        """Call a verb and return its answer; raise the error that the daemon reports, or Unreachable."""
        ...


class Sender:
    """Sends pictures: the camera whose last one was longest ago comes first, and none has two under way.

    `max_age_s` is how old a picture may be when its answer comes.
    """

    def __init__(
        self, daemon: Daemon, cameras: Sequence[WatchedCamera], max_age_s: float = MAX_AGE_S
    ) -> None:
        self._daemon = daemon
        self._turns = list(cameras)
        self._busy: set[str] = set()
        self._allowed = IN_FLIGHT
        self._max_age_s = max_age_s
        self._changed = asyncio.Event()
        self._failures = 0
        self._resume_at = 0.0
        self.reachable: bool | None = None

    @property
    def under_way(self) -> int:
        """How many pictures are with the daemon."""
        return len(self._busy)

    def notice(self) -> None:
        """Look again: a camera has a picture that should be sent."""
        self._changed.set()

    async def run(self) -> None:
        """Send until cancelled."""
        await asyncio.gather(*(self._send_forever() for _ in range(IN_FLIGHT)))

    async def _send_forever(self) -> None:
        while True:
            camera, picture = await self._next()
            self._busy.add(camera.source.name)
            try:
                await self._send(camera, picture)
            finally:
                self._busy.discard(camera.source.name)
                self._changed.set()

    async def _next(self) -> tuple[WatchedCamera, CameraPicture]:
        """Wait for a picture and take it; its camera goes to the end of the line."""
        while True:
            while (left_s := self._resume_at - time.monotonic()) > 0:
                await asyncio.sleep(left_s)
            self._changed.clear()
            if len(self._busy) < self._allowed and (found := self._take()) is not None:
                return found
            await self._changed.wait()

    def _take(self) -> tuple[WatchedCamera, CameraPicture] | None:
        """Take the picture whose turn it is, if one waits that is not too old."""
        for place, camera in enumerate(self._turns):
            if camera.source.name in self._busy or (picture := camera.take()) is None:
                continue
            if picture.age_s > self._max_age_s:
                camera.counters.late += 1
                continue
            self._turns.append(self._turns.pop(place))
            return camera, picture
        return None

    async def _send(self, camera: WatchedCamera, picture: CameraPicture) -> None:
        camera.counters.sent += 1
        name = camera.source.name
        call = self._daemon.call("follow", picture.data, {"camera": name, "time": picture.time})
        try:
            # The daemon drops a call that nobody waits for, unless it is at it: then it still remembers
            # who is in the picture.
            faces = await asyncio.wait_for(call, self._max_age_s - picture.age_s)
        except asyncio.TimeoutError:
            # No pause: the daemon would be idle meanwhile, and the next picture be late as well.
            camera.counters.late += 1
            self._allowed = 1
        except (Busy, Unreachable) as error:
            self._pause(error)
        except FaceDetError as error:
            self._resume()
            log.warning("camera %s: the daemon answers %s: %s", name, type(error).__name__, error)
        else:
            self._resume()
            camera.note_answer(picture.age_s, len(faces))
            if picture.age_s <= self._max_age_s / 2:
                self._allowed = IN_FLIGHT

    def _pause(self, error: FaceDetError) -> None:
        """Send nothing for a while, longer each time; whatever comes meanwhile replaces what waits."""
        away = isinstance(error, Unreachable)
        if away and self.reachable is not False:
            log.warning("the daemon does not answer; pictures are dropped until it does: %s", error)
        if away:
            self.reachable = False
        first, longest = AWAY_PAUSES_S if away else BUSY_PAUSES_S
        pause_s = min(longest, first * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        # Several programs that wait for the same daemon should not all come back at once.
        self._resume_at = time.monotonic() + pause_s * random.uniform(0.5, 1)

    def _resume(self) -> None:
        if self.reachable is False:
            log.info("the daemon answers again")
        self.reachable, self._failures = True, 0
