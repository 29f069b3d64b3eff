"""Motion at cameras: each report is answered at once and processed in turn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from face_det.errors import FaceDetError, TryAgain

_LOG = logging.getLogger(__name__)

PATIENCE_S = 120.0
"""How long a report is tried again while the camera or the daemon does not answer."""


class MotionQueue:
    """Looks at the cameras that reported motion: one look at a time per camera, several cameras in parallel.

    A report that comes before the look at its camera has begun is folded into that look. One that comes
    during a look leads to another, because the look may have been too early to show what moved. `look` is
    called with the camera's name.
    """

    def __init__(self, look: Callable[[str], Awaitable[None]]) -> None:
        self._look = look
        self._reported: set[str] = set()
        self._workers: dict[str, asyncio.Task[None]] = {}

    def report(self, camera: str) -> bool:
        """Accept a report of motion; return False if it was folded into one that is waiting."""
        folded = camera in self._reported
        self._reported.add(camera)
        if camera not in self._workers:
            self._workers[camera] = asyncio.create_task(self._work(camera), name=f"motion at {camera}")
        return not folded

    async def stop(self, patience_s: float) -> None:
        """Finish what was reported, for at most `patience_s`; log what was not processed."""
        if not self._workers:
            return
        await asyncio.wait(self._workers.values(), timeout=patience_s)
        for camera, worker in list(self._workers.items()):
            _LOG.warning("motion at %s was not processed: the gateway is stopping", camera)
            worker.cancel()

    async def _work(self, camera: str) -> None:
        try:
            while camera in self._reported:
                await self._look_patiently(camera)
        finally:
            del self._workers[camera]

    async def _look_patiently(self, camera: str) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TryAgain),
            stop=stop_after_delay(PATIENCE_S),
            wait=wait_exponential(multiplier=0.5, max=10),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    # From here on a report may be about something that this look no longer shows.
                    self._reported.discard(camera)
                    await self._look(camera)
        except FaceDetError as error:
            _LOG.warning("motion at %s: %s: %s", camera, type(error).__name__, error)
