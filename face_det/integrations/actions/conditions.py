"""Which events trigger an action."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from face_det.sightings import AGREEING_FRAMES

SEEN, CORROBORATED, HEARD = "seen", "corroborated", "heard"
KNOWN = "known"
MIN_QUALITY = 0.5
"""The lowest quality of a face for which something opens, in the event as well as in its frames."""


@dataclass(frozen=True)
class Hours:
    """Hours of the day, by this machine's clock, from `begin` until before `end`; they may span midnight.

    >>> night = Hours.parse("22:00-06:00")
    >>> [night.include(time(*at)) for at in ((21, 59), (22, 0), (5, 59), (6, 0))]
    [False, True, True, False]
    """

    begin: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Hours:
        """Return the hours in a text such as "22:00-06:00"; raise ValueError if there are none.

        >>> Hours.parse("7-8")
        Traceback (most recent call last):
            ...
        ValueError: 7-8: must be hours such as 22:00-06:00
        """
        try:
            begin, end = (datetime.strptime(one, "%H:%M").time() for one in text.split("-"))
        except ValueError as error:
            raise ValueError(f"{text}: must be hours such as 22:00-06:00") from error
        return cls(begin, end)

    def include(self, at: time) -> bool:
        """Tell whether a time of day is within the hours."""
        if self.begin <= self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end


@dataclass(frozen=True)
class Conditions:
    """What an event must match. Empty persons, cameras, outcomes or hours match any.

    `opens` says that the action opens something: then one of `persons`, and not of `never_unlock`, must have
    been recognised in AGREEING_FRAMES clear frames of one track, at a camera. `heard` says that a voice
    counts, too, which never opens anything: it may be a recording.
    """

    persons: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    hours: Hours | None = None
    opens: bool = False
    never_unlock: tuple[str, ...] = ()
    heard: bool = False

    def met_by(self, event: dict[str, Any]) -> bool:
        """Tell whether an event triggers the action.

        >>> event = {"type": "seen", "time": 0.0, "outcome": "known", "name": "Alice", "camera": "door",
        ...          "frames": 1, "quality": 0.9}
        >>> [Conditions(persons=("Alice",), opens=opens).met_by(event) for opens in (False, True)]
        [True, False]
        >>> Conditions(persons=("Alice",), opens=True).met_by({**event, "frames": 2})
        True
        """
        wanted = (SEEN, CORROBORATED) if self.opens else (SEEN, HEARD) if self.heard else (SEEN,)
        if event["type"] not in wanted:
            return False
        return (
            (not self.persons or _composed(event["name"] or "") in map(_composed, self.persons))
            and (not self.cameras or event["camera"] in self.cameras)
            and (not self.outcomes or event["outcome"] in self.outcomes)
            and (self.hours is None or self.hours.include(datetime.fromtimestamp(event["time"]).time()))
            and (not self.opens or self._may_open(event))
        )

    def _may_open(self, event: dict[str, Any]) -> bool:
        name = _composed(event["name"] or "")
        return (
            event["outcome"] == KNOWN
            # Pictures of no camera, such as a telephone's, do not say who stands at a door.
            and bool(event["camera"])
            and name in map(_composed, self.persons)
            and name.casefold() not in (_composed(one).casefold() for one in self.never_unlock)
            and (event.get("frames") or 0) >= AGREEING_FRAMES
            and (event.get("quality") or 0.0) >= MIN_QUALITY
        )


def _composed(name: str) -> str:
    """Return a name with composed letters: there are several ways to write an accent."""
    return unicodedata.normalize("NFC", name)
