"""Runs the program: all cameras, the sender, and reports of how the cameras are doing."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from face_det.cameras import CameraSource, read_live
from face_det.errors import FaceDetError
from face_det.programs import run_until_stopped
from face_det.rpc import AsyncClient
from face_det.systemd import Notifier
from face_det.watch.camera import Reader, WatchedCamera
from face_det.watch.health import FINE, STARTING, Health
from face_det.watch.sender import MAX_AGE_S, Daemon, Sender

log = logging.getLogger(__name__)

CHECK_S = 1.0
"""How often it is asked how the cameras are doing."""
REPORT_S = 5.0
"""How often the daemon is told, even if nothing has changed."""
REPORT_TIMEOUT_S = 10.0


class Watcher:
    """Watches cameras until cancelled.

    Each camera is read and judged by tasks of its own, so that none waits for another. What the daemon
    should see is sent by the sender, in turn. The daemon is told how the cameras are doing, and makes
    events of what changes.
    """

    def __init__(
        self,
        sources: Sequence[CameraSource],
        daemon: Daemon,
        *,
        max_age_s: float = MAX_AGE_S,
        read: Reader = read_live,
    ) -> None:
        self._daemon = daemon
        self.cameras = [WatchedCamera(source, self._notice, read) for source in sources]
        self.sender = Sender(daemon, self.cameras, max_age_s)
        self._notifier = Notifier(os.environ)
        self._logged: dict[str, Health] = {}
        self._refusal: str | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        self._notifier.ready(f"watching {len(self.cameras)} cameras")
        log.info("ready: watching %s", ", ".join(camera.source.name for camera in self.cameras))
        await asyncio.gather(
            *(camera.watch() for camera in self.cameras), self.sender.run(), self._report_forever()
        )

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return how each camera is doing, by name, as the daemon is told."""
        found = {}
        for camera in self.cameras:
            health = camera.health()
            found[camera.source.name] = {
                "state": health.state,
                "reason": health.reason,
                "delay_s": _rounded(camera.delay_s),
                "longest_delay_s": _rounded(camera.longest_delay_s),
                **asdict(camera.counters),
            }
        return found

    def _notice(self) -> None:
        self.sender.notice()

    async def _report_forever(self) -> None:
        told: dict[str, str] = {}
        due = float("-inf")
        while True:
            self._notifier.alive()
            self._log_changes()
            described = self.describe()
            states = {name: about["state"] for name, about in described.items()}
            now = time.monotonic()
            if now >= due or (states != told and self._refusal is None):
                self._notifier.status(_summary(states))
                due = now + REPORT_S
                if await self._report(described):
                    told = states
                    for camera in self.cameras:
                        camera.longest_delay_s = None
            await asyncio.sleep(CHECK_S)

    async def _report(self, described: dict[str, dict[str, Any]]) -> bool:
        """Tell the daemon; return False, having logged a new reason, if it could not be told."""
        try:
            await self._daemon.call("report_cameras", described, timeout_s=REPORT_TIMEOUT_S)
        except FaceDetError as error:
            why = f"{type(error).__name__}: {error}"
            if why != self._refusal:
                log.warning("the daemon was not told how the cameras are doing: %s", why)
            self._refusal = why
            return False
        self._refusal = None
        return True

    def _log_changes(self) -> None:
        for camera in self.cameras:
            name, now = camera.source.name, camera.health()
            before = self._logged.get(name, Health(STARTING))
            if now.state == before.state:
                continue
            self._logged[name] = now
            if now.state == FINE:
                log.info("camera %s: %s", name, "pictures come" if before.state == STARTING else "is back")
            else:
                log.warning("camera %s: %s: %s", name, now.state, now.reason)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _summary(states: dict[str, str]) -> str:
    """Say in a line how many cameras are fine.

    >>> _summary({"front": "fine", "yard": "lost", "shed": "fine"})
    '2 of 3 cameras are fine; yard is lost'
    """
    fine = sum(1 for state in states.values() if state == FINE)
    others = [f"{name} is {state}" for name, state in states.items() if state != FINE]
    return "; ".join([f"{fine} of {len(states)} cameras are fine", *others])


def run_watcher(sources: Sequence[CameraSource], daemon: AsyncClient) -> None:
    """Watch cameras, and send what they see to the daemon, until SIGTERM or SIGINT."""
    run_until_stopped(lambda: Watcher(sources, daemon).run(), daemon)
