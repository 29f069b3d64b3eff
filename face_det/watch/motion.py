"""Tells when a picture is worth sending: while something moves in it, and from time to time.

Where something moves is the tracker's question (face_det/tracking/motion.py), which has the picture itself.
"""

from __future__ import annotations

import numpy as np

from face_det.media import Grey, changed_pixels

FULL_LOOK_S = 5.0
"""A picture is looked at so often, also where nothing moves."""
LINGER_S = 2.0
"""Pictures are looked at for so long after the last motion, since somebody may have come and stopped."""
_LEVELS = 20
"""Grey levels, of 255: what noise and compression change is less."""
_SHARE = 0.001
"""The share of a copy's pixels that must have changed."""


class MotionGate:
    """Lets pictures through while something moves, and one every `full_look_s` seconds.

    >>> still = np.zeros((90, 160), np.uint8)
    >>> gate = MotionGate()
    >>> [gate.passes(still, at) for at in (0.0, 0.2, 3.0, 5.1)]
    [True, False, False, True]
    >>> moved = still.copy()
    >>> moved[10:20, 10:20] = 255
    >>> [gate.passes(moved, at) for at in (5.2, 5.4, 7.9)]
    [True, True, False]
    """

    def __init__(self, full_look_s: float = FULL_LOOK_S, linger_s: float = LINGER_S) -> None:
        self._full_look_s = full_look_s
        self._linger_s = linger_s
        self._last: Grey | None = None
        self._looked_at = self._moved_at = float("-inf")

    def passes(self, grey: Grey, at: float) -> bool:
        """Tell whether a picture is to be looked at; `grey` is a copy of it, `at` its time in seconds."""
        if self._last is not None and _differ(grey, self._last):
            self._moved_at = at
        passed = at - self._moved_at < self._linger_s or at - self._looked_at >= self._full_look_s
        if passed:
            # Later pictures are compared with this one, so that slow motion adds up.
            self._last, self._looked_at = grey, at
        return passed


def _differ(one: Grey, other: Grey) -> bool:
    changed = changed_pixels(one, other, _LEVELS)
    return changed is None or bool(np.count_nonzero(changed) >= _SHARE * changed.size)
