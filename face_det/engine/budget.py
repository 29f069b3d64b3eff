"""The time that a call may still use, and when it lets other calls go first."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Budget:
    """A deadline that counts from the moment it is made: the call must be answered within `seconds`.

    `give_way` lets other calls run first; it is called between views, when little memory is held. One
    thread computes; another may cancel.

    >>> budget = Budget(60)
    >>> budget.over
    False
    >>> budget.cancel()
    >>> budget.over
    True
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
        """Seconds left: infinity without a deadline, zero or less once time is up."""
        return -math.inf if self._cancelled else self._deadline - self._clock()

    def cancel(self) -> None:
        """Give up: nobody is waiting for the answer any more, so the computation stops at the next view."""
        self._cancelled = True

    @property
    def over(self) -> bool:
        """True once it is time to stop and answer with the results so far."""
        return self.left() <= 0
