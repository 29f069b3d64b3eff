"""How many of Frigate's events are done, as one time that survives a restart."""

from __future__ import annotations

import math
from collections import OrderedDict

MAX_DONE = 10_000
"""How many finished events are remembered one by one."""


class Progress:
    """Keeps track of which events are done, and of the time up to which all are.

    >>> progress = Progress(since=100)
    >>> progress.begin("a", 110), progress.begin("b", 120)
    (None, None)
    >>> progress.finish("b")
    >>> progress.mark, progress.is_done("b")
    (110, True)
    >>> progress.finish("a")
    >>> progress.mark
    120
    """

    def __init__(self, since: float) -> None:
        """Begin at a time, in seconds since 1970: events that began before it are ignored."""
        self._since = since
        self._open: dict[str, float] = {}
        self._done: OrderedDict[str, float] = OrderedDict()
        self._held = math.inf

    def begin(self, event_id: str, start: float) -> None:
        """Note an event that began at `start`, which is not yet done."""
        self._open.setdefault(event_id, start)

    def finish(self, event_id: str) -> None:
        """Note that an event is done."""
        start = self._open.pop(event_id, None)
        if start is None:
            return
        self._done[event_id] = start
        while len(self._done) > MAX_DONE:
            self._done.popitem(last=False)
        self._since = max(self._since, self.mark)

    def hold(self) -> None:
        """Leave the mark where it is until `release`: events may have been missed that nobody knows of yet.

        >>> progress = Progress(since=100)
        >>> progress.hold(), progress.begin("b", 120), progress.finish("b")
        (None, None, None)
        >>> progress.mark
        100
        >>> progress.release()
        >>> progress.mark
        120
        """
        self._held = self.mark

    def release(self) -> None:
        """All events are known."""
        self._held = math.inf

    def is_done(self, event_id: str) -> bool:
        """Return whether an event was done since this program started."""
        return event_id in self._done

    @property
    def open_count(self) -> int:
        """How many known events are not yet done."""
        return len(self._open)

    @property
    def mark(self) -> float:
        """The time up to which every known event is done, in seconds since 1970."""
        newest = max(self._done.values(), default=self._since)
        oldest = min(self._open.values(), default=newest)
        return max(self._since, min(newest, oldest, self._held))
