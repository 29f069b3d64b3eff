"""What an action was done for, so that it is not done again too soon. It forgets what is long ago."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

MOST = 1000
"""Of so many visits, and so many people at a camera, it is remembered when an action was due."""


class Memory:
    """The visits, and the people at each camera, for whom one action was due."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._visits: OrderedDict[tuple[str | None, int | None], None] = OrderedDict()
        self._seen: OrderedDict[tuple[str | None, str | None], tuple[float, float]] = OrderedDict()

    def forget_visits(self) -> None:
        """Forget the visits: another program may have done what was due in them, or may not have."""
        self._visits.clear()

    def is_new_visit(self, log: str | None, event: dict[str, Any]) -> bool:
        """Tell whether this is the first event of its visit, in that log of events, and note it.

        >>> memory = Memory()
        >>> [memory.is_new_visit("log", {"visit": visit}) for visit in (1, 1, 2)]
        [True, False, True]
        """
        visit = (log, event["visit"])
        is_new = visit not in self._visits
        self._visits[visit] = None
        self._visits.move_to_end(visit)
        while len(self._visits) > MOST:
            self._visits.popitem(last=False)
        return is_new

    def was_away(self, event: dict[str, Any], gap_s: float) -> bool:
        """Tell whether this camera had not seen the person for `gap_s` before the event, and note it.

        A visit ends when nobody was seen for that long. So who comes back was away, but not who is there all
        the time while visits begin anew, as when two sources use one camera's name. If the event is older
        than the one before, a clock was set back, and the time since then counts.

        >>> memory, alice = Memory(), {"camera": "door", "name": "Alice"}
        >>> [memory.was_away({**alice, "time": time}, gap_s=60) for time in (0.0, 59.0, 100.0, 160.0)]
        [True, False, False, True]
        """
        who, at, now = (event["camera"], event["name"]), event["time"], self._monotonic()
        last, noted = self._seen.pop(who, (-math.inf, -math.inf))
        was_away: bool = (at - last if at >= last else now - noted) >= gap_s
        self._seen[who] = (at if was_away else max(last, at)), now
        while len(self._seen) > MOST:
            self._seen.popitem(last=False)
        return was_away
