"""Times on the command line: dates, dates with times, ages, and nothing else."""

from __future__ import annotations

import time

import pytest

from face_det.cli.times import format_time, parse_time

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", NOW - 45),
        ("30m", NOW - 1800),
        ("1.5h", NOW - 5400),
        ("7d", NOW - 7 * 86_400),
        ("2w", NOW - 14 * 86_400),
        ("999999999w", 0.0),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20+00:00", NOW),
        ("2023-11-14 23:13:20+01:00", NOW),
        (" 0s ", NOW),
    ],
)
def test_times(text: str, seconds: float) -> None:
    """An age counts back from now; a time may name its zone."""
    assert parse_time(text, NOW) == seconds


def test_local_time() -> None:
    """Without a zone it is local time, in which times are also printed."""
    printed = format_time(NOW)
    assert parse_time(printed, now=0.0) == NOW
    midnight = time.mktime(time.strptime("2023-11-14", "%Y-%m-%d"))
    assert parse_time("2023-11-14", now=0.0) == midnight


@pytest.mark.parametrize(
    "text", ["", "now", "2y", "-2h", "2 h", "2023-13-01", "0001-01-01", "1969-12-30", "1e3s"]
)
def test_no_times(text: str) -> None:
    """Whatever else is typed is refused, never guessed."""
    with pytest.raises(ValueError, match="must be"):
        parse_time(text, NOW)
