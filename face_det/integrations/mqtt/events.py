"""Turns the daemon's events into MQTT messages."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

EVENT_TYPES = ("known", "uncertain", "stranger")
"""How somebody was seen, as event types: in Home Assistant, `unknown` means that a state is missing."""
PEOPLE_EVENTS = ("enrolled", "forgotten", "corrected", "named", "trained")
"""Events after which the people enrolled may have changed."""
NOBODY, STRANGER, SOMEBODY = "nobody", "stranger", "somebody"


def render_event(event: dict[str, Any]) -> bytes:
    """Return the message about an event of type `seen`. The same event always makes the same message.

    >>> render_event({"seq": 7, "time": 5.5, "outcome": "known", "name": "Alice", "unknown": None,
    ...               "probability": 0.9, "sighting": 4, "visit": 2, "camera": "front"}).decode()
    '{"event_type": "known", "person": "Alice", "proba": 0.9, "sighting": 4, "visit": 2, "ts": 5.5, "seq": 7}'
    """
    return json.dumps(
        {
            "event_type": STRANGER if event["outcome"] == "unknown" else event["outcome"],
            "person": event["name"] or event["unknown"],
            "proba": event.get("probability"),
            "sighting": event["sighting"],
            "visit": event["visit"],
            "ts": event["time"],
            "seq": event["seq"],
        },
        ensure_ascii=False,
    ).encode()


def render_heard(event: dict[str, Any]) -> bytes:
    """Return the message about an event of type `heard`. The same event always makes the same message.

    >>> render_heard({"seq": 7, "time": 5.5, "outcome": "known", "name": "Alice", "probability": 0.9,
    ...               "speech": 3.2, "camera": "front"}).decode()
    '{"event_type": "known", "person": "Alice", "proba": 0.9, "speech": 3.2, "ts": 5.5, "seq": 7}'
    """
    return json.dumps(
        {
            "event_type": STRANGER if event["outcome"] == "unknown" else event["outcome"],
            "person": event["name"],
            "proba": event.get("probability"),
            "speech": event.get("speech"),
            "ts": event["time"],
            "seq": event["seq"],
        },
        ensure_ascii=False,
    ).encode()


def _label(event: dict[str, Any]) -> str:
    """Return who was seen, for the list of people."""
    if event["name"] or event["unknown"]:
        return str(event["name"] or event["unknown"])
    return STRANGER if event["outcome"] == "unknown" else SOMEBODY


@dataclass
class Camera:
    """Who is at one camera, according to its events."""

    visit: int | None = None
    people: list[str] = field(default_factory=list)
    last: float | None = None
    sighting: int | None = None
    present: bool = False

    def apply(self, event: dict[str, Any]) -> None:
        """Apply an event: a visit begins, somebody is seen, a visit ends."""
        if event["type"] == "visit_ended":
            if self.visit in (None, event["visit"]):
                self.visit, self.people, self.present = None, [], False
            return
        if self.visit != event["visit"]:
            self.visit, self.people = event["visit"], []
        self.present = True
        if event["type"] == "seen":
            self.last, self.sighting = event["time"], event["sighting"]
            label = _label(event)
            if label not in self.people:
                self.people.append(label)

    def render_state(self) -> bytes:
        """Return the message about who is there; a name that was found later takes a stranger's place."""
        named = [one for one in self.people if one not in (STRANGER, SOMEBODY)] or self.people
        return json.dumps(
            {"people": ", ".join(named) or NOBODY, "ts": self.last}, ensure_ascii=False
        ).encode()

    def render_seen(self) -> bytes:
        """Return whether somebody is there."""
        return b"ON" if self.present else b"OFF"


@dataclass
class Scene:
    """All cameras, and where each person was seen last: (camera, time)."""

    cameras: dict[str, Camera] = field(default_factory=dict)
    people: dict[str, tuple[str, float]] = field(default_factory=dict)
    seq: int = 0

    def apply(self, event: dict[str, Any], now: float) -> None:
        """Apply an event, unless a newer one has been; only those of cameras change anything.

        Somebody who was seen later than `now` was so by a clock that has been set back since.
        """
        if event["seq"] <= self.seq:
            return
        self.seq = event["seq"]
        if not event["camera"] or event["type"] not in ("visit_began", "seen", "visit_ended"):
            return
        self.cameras.setdefault(event["camera"], Camera()).apply(event)
        if event["type"] == "seen" and event["name"]:
            before = self.people.get(event["name"])
            if before is None or before[1] <= event["time"] or before[1] > now:
                self.people[event["name"]] = (event["camera"], event["time"])

    def render_person(self, name: str) -> bytes:
        """Return the message about where somebody was seen last."""
        camera, time = self.people[name]
        return json.dumps({"camera": camera, "ts": time}).encode()
