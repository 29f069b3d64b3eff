"""Says how a camera is doing: fine, lost, black or frozen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from face_det.media import Grey

STARTING, FINE, LOST, BLACK, FROZEN = "starting", "fine", "lost", "black", "frozen"
LOST_AFTER_S = 5.0
"""Seconds without a picture. Shorter pauses, as when a camera is reconnected, are no news."""
BLACK_AFTER_S = 10.0
FROZEN_AFTER_S = 60.0
"""Seconds of the very same picture: a sensor's noise makes each one different."""
_DARK, _EVEN = 24, 6
"""Grey levels: a black picture's mean, and the standard deviation around it, at most."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a camera is doing; the reason is in words that follow its name, or None."""

    state: str
    reason: str | None = None


class HealthCheck:
    """Looks at a camera's pictures, and at how long none has come. Times are in seconds, of one clock.

    >>> check = HealthCheck(now=0.0)
    >>> check.fail("must answer over http, got ConnectError")
    >>> [check.health(at).state for at in (1.0, 6.0)]
    ['starting', 'lost']
    >>> check.see(b"a picture", np.full((90, 160), 128, np.uint8), 7.0)
    >>> check.health(8.0).state
    'fine'
    """

    def __init__(self, now: float, *, pause_s: float = LOST_AFTER_S, may_stand_still: bool = False) -> None:
        """`pause_s` is how long no picture may come; a file `may_stand_still`."""
        self._pause_s = pause_s
        self._may_stand_still = may_stand_still
        self._seen_at: float | None = None
        self._begun = self._black_since = self._same_since = now
        self._digest = b""
        self._fault: str | None = None

    def see(self, data: bytes, grey: Grey, at: float) -> None:
        """Look at a picture: its bytes and its small grey copy."""
        self._seen_at, self._fault = at, None
        if float(grey.mean()) > _DARK or float(np.std(grey)) > _EVEN:
            self._black_since = at
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if digest != self._digest:
            self._digest, self._same_since = digest, at

    def fail(self, why: str) -> None:
        """Note why no picture comes."""
        self._fault = why

    def health(self, now: float) -> Health:
        """Say how the camera is doing."""
        silent_s = now - (self._begun if self._seen_at is None else self._seen_at)
        if silent_s >= self._pause_s:
            return Health(LOST, self._fault or f"no picture has come for {self._pause_s:g} s")
        if self._seen_at is None:
            return Health(STARTING, self._fault)
        if self._seen_at - self._black_since >= BLACK_AFTER_S:
            return Health(BLACK, "its pictures are black")
        if not self._may_stand_still and self._seen_at - self._same_since >= FROZEN_AFTER_S:
            return Health(FROZEN, "it sends the same picture again and again")
        return Health(FINE)
