"""What a call may still use: time, and its turn among others; and whether anybody waits for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Budget:
    """Counts from when it is made: `seconds` until the call must be answered.

    `give_way` lets others have their turn; it is called between views, when little is held.
    One thread computes, another may cancel.
    """

    def __init__(
        self,
        seconds: float = math.inf,
        *,
        give_way: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._deadline = clock() + seconds
        self._cancelled = False
        self.give_way = give_way

    def left(self) -> float:
        """Seconds, infinity without a deadline; zero or less when it is over."""
        return -math.inf if self._cancelled else self._deadline - self._clock()

    def cancel(self) -> None:
        """Nobody waits for the answer any longer: what computes stops at the next view."""
        self._cancelled = True

    @property
    def over(self) -> bool:
        """Whether to stop and answer with what there is."""
        return self.left() <= 0
