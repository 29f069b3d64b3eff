"""Which events an action follows, and which open something."""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import Any

import pytest

from face_det.integrations import Conditions, Hours


def event(**fields: Any) -> dict[str, Any]:
    """Alice, recognised in two clear frames at the door."""
    known = {"type": "seen", "time": 0.0, "outcome": "known", "name": "Alice", "camera": "door", "visit": 1}
    return {**known, "unknown": None, "frames": 2, "quality": 0.9, **fields}


def at(hour: int, minute: int) -> float:
    """A time of day of this machine's clock."""
    return datetime(2026, 3, 4, hour, minute).timestamp()


@pytest.mark.parametrize(
    ("conditions", "fields", "met"),
    [
        ({}, {}, True),
        ({}, {"type": "corroborated"}, False),
        ({}, {"type": "visit_began"}, False),
        ({}, {"type": "heard"}, False),
        ({"heard": True}, {"type": "heard"}, True),
        ({"heard": True}, {}, True),
        ({"heard": True, "persons": ("Bob",)}, {"type": "heard"}, False),
        ({"persons": ("Bob", "Alice")}, {}, True),
        ({"persons": ("Bob",)}, {}, False),
        ({"persons": ("Alice",)}, {"name": None}, False),
        ({"persons": ("Zoe\u0308",)}, {"name": "Zo\u00eb"}, True),
        ({"cameras": ("door",)}, {}, True),
        ({"cameras": ("door",)}, {"camera": None}, False),
        ({"cameras": ("door",)}, {"camera": "garden"}, False),
        ({"outcomes": ("unknown", "uncertain")}, {}, False),
        ({"outcomes": ("unknown",)}, {"outcome": "unknown", "name": None}, True),
        ({"hours": Hours.parse("22:00-06:00")}, {"time": at(23, 30)}, True),
        ({"hours": Hours.parse("22:00-06:00")}, {"time": at(0, 0)}, True),
        ({"hours": Hours.parse("22:00-06:00")}, {"time": at(6, 0)}, False),
        ({"hours": Hours.parse("22:00-06:00")}, {"time": at(21, 59)}, False),
        ({"hours": Hours.parse("06:00-22:00")}, {"time": at(6, 0)}, True),
        ({"hours": Hours.parse("06:00-22:00")}, {"time": at(22, 0)}, False),
    ],
)
def test_all_conditions_must_be_met(conditions: Any, fields: Any, met: bool) -> None:
    """Those that are not set are met; hours may span midnight; accents may be written in several ways."""
    assert Conditions(**conditions).met_by(event(**fields)) is met


@pytest.mark.parametrize(
    ("conditions", "fields", "opened"),
    [
        ({}, {}, True),
        ({}, {"type": "corroborated"}, True),
        ({}, {"type": "heard"}, False),
        ({"heard": True}, {"type": "heard"}, False),
        ({}, {"frames": 1}, False),
        ({}, {"frames": 0}, False),
        ({}, {"frames": None}, False),
        ({}, {"quality": 0.49}, False),
        ({}, {"quality": None}, False),
        ({}, {"outcome": "uncertain"}, False),
        ({}, {"outcome": "unknown", "name": None}, False),
        ({}, {"name": "Bob"}, False),
        ({}, {"type": "named"}, False),
        ({}, {"camera": None}, False),
        ({"persons": ()}, {}, False),
        ({"persons": ()}, {"name": None}, False),
        ({"never_unlock": ("Alice",)}, {}, False),
        ({"never_unlock": ("alice",)}, {}, False),
        ({"never_unlock": ("Mia",)}, {}, True),
        ({"persons": ("Zo\u00eb",), "never_unlock": ("Zoe\u0308",)}, {"name": "Zo\u00eb"}, False),
    ],
)
def test_nothing_opens_without_a_second_factor(conditions: Any, fields: Any, opened: bool) -> None:
    """Two clear frames of a camera that agree, of somebody who is named, allowed, and not marked."""
    allowed = {"persons": ("Alice",), **conditions}
    assert Conditions(**allowed, opens=True).met_by(event(**fields)) is opened


def test_an_older_daemons_event_opens_nothing() -> None:
    """It does not say how many frames agreed."""
    told = event()
    del told["frames"]
    assert not Conditions(persons=("Alice",), opens=True).met_by(told)
    assert Conditions(persons=("Alice",)).met_by(told)


@pytest.mark.parametrize(
    ("utc", "met"),
    [
        ("2026-03-29 00:59", False),  # 01:59, before the clocks go forward to 03:00
        ("2026-03-29 01:00", True),  # 03:00
        ("2026-03-29 03:59", True),  # 05:59
        ("2026-03-29 04:00", False),  # 06:00
        ("2026-10-24 23:59", False),  # 01:59
        ("2026-10-25 00:30", True),  # 02:30, and again an hour later
        ("2026-10-25 01:30", True),
        ("2026-10-25 04:59", True),  # 05:59
        ("2026-10-25 05:00", False),
    ],
)
def test_hours_are_those_of_the_clock_when_it_changes(utc: str, met: bool) -> None:
    """By local time, as somebody there reads it, at the time of the picture and not of the action."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    try:
        seen = event(time=datetime.fromisoformat(f"{utc}+00:00").timestamp())
        assert Conditions(hours=Hours.parse("02:00-06:00")).met_by(seen) is met
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()
