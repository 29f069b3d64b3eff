"""Ctrl-C that lets a command print what it has so far."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import TypeVar

Item = TypeVar("Item")


class Interruption:
    """Ends an iteration at the first Ctrl-C, between two items; a second one interrupts as usual.

    A context manager; in the main thread only.
    """

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False

    def __enter__(self) -> Interruption:
        """Take Ctrl-C over."""
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give it back."""
        signal.signal(signal.SIGINT, self._before)

    def until(self, items: Iterator[Item]) -> Iterator[Item]:
        """Yield the items until Ctrl-C, which is noticed at once while an item is waited for."""
        while not self.asked:
            self._waiting = True
            try:
                item = next(items)
            except (StopIteration, KeyboardInterrupt):
                return
            finally:
                self._waiting = False
            yield item

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked, True
        if again or self._waiting:
            raise KeyboardInterrupt
