"""Reads one camera for as long as the program runs, and keeps the newest picture worth looking at."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential, wait_random

from face_det.cameras import MAX_PIXELS, CameraPicture, CameraSource, read_live
from face_det.errors import BadImage, CameraFailed
from face_det.media import make_small_grey
from face_det.watch.health import LOST_AFTER_S, Health, HealthCheck
from face_det.watch.motion import MotionGate

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
"""How long to wait before a camera is connected again: longer each time."""
STEADY_S = 10.0
"""A camera that has sent pictures for so long begins again with the first pause."""

Reader = Callable[[CameraSource], AsyncGenerator[CameraPicture, None]]


@dataclass(slots=True)
class Counters:
    """What became of a camera's pictures."""

    received: int = 0
    unreadable: int = 0
    replaced: int = 0
    """A newer one came before it was looked at."""
    still: int = 0
    """Nothing moved."""
    late: int = 0
    """Older than two seconds before the daemon had answered."""
    sent: int = 0
    answered: int = 0
    faces: int = 0


@dataclass(eq=False)
class WatchedCamera:
    """A camera: its newest picture, its health, and its counters. `on_picture` is called for each new one."""

    source: CameraSource
    on_picture: Callable[[], None]
    read: Reader = read_live
    counters: Counters = field(default_factory=Counters)
    waiting: CameraPicture | None = None
    """The newest picture that the daemon should see."""
    delay_s: float | None = None
    """How old the latest answered picture was when its answer came."""
    longest_delay_s: float | None = None
    """The longest of these since the daemon was last told."""

    def __post_init__(self) -> None:  # noqa: D105 - sets up what is private
        self._gate = MotionGate()
        self._newest: CameraPicture | None = None
        self._arrived = asyncio.Event()
        self._health = HealthCheck(
            time.monotonic(),
            pause_s=max(LOST_AFTER_S, 3 / self.source.fps),
            may_stand_still=self.source.scheme == "file",
        )

    def health(self) -> Health:
        """Say how the camera is doing now."""
        return self._health.health(time.monotonic())

    def take(self) -> CameraPicture | None:
        """Return the picture that waits, if there is one, and keep it no longer."""
        picture, self.waiting = self.waiting, None
        return picture

    def note_answer(self, delay_s: float, faces: int) -> None:
        """Count an answer, with the number of faces in it."""
        self.counters.answered += 1
        self.counters.faces += faces
        self.delay_s, self.longest_delay_s = delay_s, max(delay_s, self.longest_delay_s or 0.0)

    async def watch(self) -> None:
        """Read and judge pictures until cancelled."""
        await asyncio.gather(self._read_forever(), self._judge_forever())

    async def _read_forever(self) -> None:
        patiently = AsyncRetrying(
            retry=retry_if_exception_type(CameraFailed),
            wait=wait_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S)
            + wait_random(0, FIRST_PAUSE_S),
        )
        async for attempt in patiently:
            with attempt:
                begun = time.monotonic()
                why = await self._read_to_the_end()
                log.debug("camera %s: %s", self.source.name, why)
                self._health.fail(why)
                if time.monotonic() - begun >= STEADY_S:
                    attempt.retry_state.attempt_number = 1
                raise CameraFailed(why)

    async def _read_to_the_end(self) -> str:
        """Read until no more pictures come, and return why."""
        try:
            async with contextlib.aclosing(self.read(self.source)) as pictures:
                async for picture in pictures:
                    self._put(picture)
        except CameraFailed as error:
            return str(error).removeprefix(f"camera {self.source.name}: ")
        except Exception as error:  # noqa: BLE001 - one camera must not stop the others, nor show its address
            return f"cannot be read: {type(error).__name__}"
        return "its stream ended"

    def _put(self, picture: CameraPicture) -> None:
        self.counters.received += 1
        if self._newest is not None:
            self.counters.replaced += 1
        self._newest = picture
        self._arrived.set()

    async def _judge_forever(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            picture, self._newest = self._newest, None
            if picture is not None:
                await self._judge(picture)

    async def _judge(self, picture: CameraPicture) -> None:
        try:
            # In a thread, because a camera may send what takes long to decode.
            grey = await asyncio.to_thread(
                make_small_grey, picture.data, max_pixels=MAX_PIXELS, place=f"camera {self.source.name}"
            )
        except Exception as error:  # noqa: BLE001 - one camera must not stop the others
            if not isinstance(error, BadImage):
                log.warning("camera %s: a picture was not read: %s", self.source.name, type(error).__name__)
            self.counters.unreadable += 1
            self._health.fail("sends something that is no picture")
            return
        now = time.monotonic()
        self._health.see(picture.data, grey, now)
        if not self._gate.passes(grey, now):
            self.counters.still += 1
            return
        if self.waiting is not None:
            self.counters.replaced += 1
        self.waiting = picture
        self.on_picture()
