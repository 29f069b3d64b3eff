"""The methods about live cameras: how `face-det watch` says they are doing, and what they show."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from face_det.daemon.latest_pictures import LatestPictures
from face_det.daemon.workers import Workers
from face_det.errors import BadRequest

if TYPE_CHECKING:
    from face_det.service import Memory

STATES = ("starting", "fine", "lost", "black", "frozen")
FORGOTTEN_AFTER_S = 60.0
"""A report that is older says nothing about the cameras any more."""
MAX_CAMERAS = 1000
MAX_TEXT = 500


class CameraMethods:
    """Keeps the latest report of each camera, for `status`, and makes events of what changes.

    `pictures` has what the cameras show.
    """

    def __init__(
        self, memory: Callable[[], Memory | None], pictures: LatestPictures, quick: Workers, limit_s: float
    ) -> None:
        self._pictures = pictures
        self._memory = memory
        self._quick = quick
        self._limit_s = limit_s
        self._reports: dict[str, tuple[float, dict[str, Any]]] = {}

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {"report_cameras": self.report_cameras, "camera_picture": self.camera_picture}

    def camera_picture(self, camera: Any) -> Any:
        """Return the latest picture that was followed of a live camera; None if there is no recent one."""
        if not isinstance(camera, str):
            raise BadRequest(f"camera: must be text, got {type(camera).__name__}")
        return self._pictures.latest(camera)

    def report_cameras(self, cameras: Any) -> Any:
        """Take note of how live cameras are doing."""
        found = _require_reports(cameras)
        now = time.monotonic()
        self._reports = {**self._recent(now), **{name: (now, about) for name, about in found.items()}}
        memory = self._memory()
        if memory is not None:
            states = {name: (about["state"], about.get("reason")) for name, about in found.items()}
            self._quick.submit(lambda: memory.note_cameras(states), limit_s=self._limit_s)
        return {"cameras": len(found)}

    def status(self) -> dict[str, dict[str, Any]]:
        """Return the latest report of each camera that was reported recently, by name."""
        return {name: about for name, (_, about) in self._recent(time.monotonic()).items()}

    def _recent(self, now: float) -> dict[str, tuple[float, dict[str, Any]]]:
        return {
            name: (at, about) for name, (at, about) in self._reports.items() if now - at < FORGOTTEN_AFTER_S
        }


def _require_reports(cameras: Any) -> dict[str, dict[str, Any]]:
    """Check a report; raise BadRequest with the place of what is wrong."""
    if not isinstance(cameras, dict) or len(cameras) > MAX_CAMERAS:
        raise BadRequest(f"cameras: must be an object of at most {MAX_CAMERAS} cameras, by name")
    for name, about in cameras.items():
        if not isinstance(name, str) or not 1 <= len(name) <= MAX_TEXT:
            raise BadRequest(f"cameras: each must have a name of at most {MAX_TEXT} characters")
        place = f"cameras[{name[:80]!r}]"
        if not isinstance(about, dict) or about.get("state") not in STATES:
            raise BadRequest(f"{place}.state: must be one of {', '.join(STATES)}")
        for key, value in about.items():
            is_text = isinstance(value, str) and len(value) <= MAX_TEXT
            if not (isinstance(key, str) and (is_text or value is None or isinstance(value, int | float))):
                raise BadRequest(f"{place}: must have numbers and texts of at most {MAX_TEXT} characters")
    return cameras
