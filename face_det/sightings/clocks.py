"""The clocks of the memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds since 1970, which date what was seen, and seconds that never jump, for everything else."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


SYSTEM_CLOCKS = Clocks(time.time, time.monotonic)
"""The clocks of this machine."""
