"""The latest picture of each live camera: a camera that only one program can open is seen by others, too."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

RECENT_S = 10.0
"""An older picture is not what a camera shows now: `face-det watch` sends one every five seconds."""
MAX_CAMERAS = 64
MAX_BYTES = 64 * 2**20
"""How much is kept, the newest: the pictures of all cameras together."""


@dataclass(frozen=True, slots=True)
class _Kept:
    data: bytes = field(repr=False)
    time: float
    at: float


class LatestPictures:
    """Keeps encoded pictures by the names of their cameras, in memory, for RECENT_S seconds.

    >>> pictures = LatestPictures(clock=iter([0.0, 1.0, 2.5, 99.0]).__next__)
    >>> pictures.keep("front", b"a JPEG", 1767225600.0)
    >>> pictures.keep("yard", b"", 1767225601.0)
    >>> pictures.latest("front")
    {'picture': b'a JPEG', 'time': 1767225600.0, 'age_s': 2.5}
    >>> pictures.latest("front") is None
    True
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    def keep(self, camera: str, data: bytes, taken: float) -> None:
        """Keep a picture in place of the one before, and no old ones; `taken` is in seconds since 1970."""
        now = self._clock()
        self._drop_old(now)
        self._kept.pop(camera, None)
        self._kept[camera] = _Kept(data, taken, now)
        while len(self._kept) > MAX_CAMERAS or sum(len(one.data) for one in self._kept.values()) > MAX_BYTES:
            self._kept.pop(next(iter(self._kept)))

    def latest(self, camera: str) -> dict[str, Any] | None:
        """Return a camera's picture, when it was taken and how long ago it came; None if none is recent."""
        now = self._clock()
        self._drop_old(now)
        one = self._kept.get(camera)
        return None if one is None else {"picture": one.data, "time": one.time, "age_s": now - one.at}

    def drop_old(self) -> None:
        """Forget the pictures that are not recent any more."""
        self._drop_old(self._clock())

    def _drop_old(self, now: float) -> None:
        self._kept = {name: one for name, one in self._kept.items() if now - one.at < RECENT_S}
