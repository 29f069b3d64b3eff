"""The time that a call may still use, when it lets other calls go first, and where it may end early.

A detector or an embedder calls `checkpoint` before each run of a network. If the computation is
`interruptible`, it ends there once its budget is over.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


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
    def cancelled(self) -> bool:
        """True once it was given up, whatever time is left."""
        return self._cancelled

    @property
    def over(self) -> bool:
        """True once it is time to stop and answer with the results so far."""
        return self.left() <= 0


class Interrupted(Exception):
    """The computation has been given up; it has no result."""


_BUDGET: ContextVar[Budget | None] = ContextVar("_BUDGET", default=None)


@contextmanager
def interruptible(budget: Budget) -> Iterator[None]:
    """Raise Interrupted from the first checkpoint in this block at which `budget` is over.

    >>> with interruptible(Budget(60)):
    ...     checkpoint()
    """
    token = _BUDGET.set(budget)
    try:
        yield
    finally:
        _BUDGET.reset(token)


def checkpoint() -> None:
    """Raise Interrupted if the time for this computation is over; do nothing if it is not interruptible."""
    budget = _BUDGET.get()
    if budget is not None and budget.over:
        raise Interrupted
