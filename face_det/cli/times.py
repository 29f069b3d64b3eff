"""Times as users type and read them: in local time, or as an age."""

from __future__ import annotations

import re
import time
from datetime import datetime

import click

from face_det.sightings import MAX_TIME_S

_AGE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
EXPECTED = "must be a date, a date and time, or an age such as 30m, 2h or 7d"


def parse_time(text: str, now: float) -> float:
    """Return a time in seconds since 1970; raises ValueError for a text that is none.

    A date, or a date and time, is as in ISO 8601, and in local time if it names no zone. An age counts back
    from `now`.

    >>> parse_time("2h", now=10_000.0)
    2800.0
    >>> parse_time("1970-01-02T00:00+00:00", now=0.0)
    86400.0
    """
    text = text.strip()
    age = _AGE.fullmatch(text)
    if age is not None:
        return max(0.0, now - float(age[1]) * _SECONDS[age[2]])
    # Python 3.10 does not know the Z of UTC.
    spelt = f"{text[:-1]}+00:00" if text[-1:] in ("Z", "z") else text
    try:
        seconds = datetime.fromisoformat(spelt).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{EXPECTED}, got {text!r:.60}") from error
    if not 0 <= seconds <= MAX_TIME_S:
        raise ValueError(f"must be after 1970, got {text!r:.60}")
    return seconds


def format_time(seconds: float | None) -> str:
    """Return a time in local time, to the second; a dash if there is none.

    >>> format_time(None)
    '-'
    """
    return "-" if seconds is None else f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"


def convert_time(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Parse the value of an option, as click's callbacks do; raises BadParameter."""
    try:
        return None if text is None else parse_time(text, time.time())
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def format_video_time(seconds: float) -> str:
    """Write a time within a video.

    >>> format_video_time(75.25), format_video_time(3600)
    ('1:15.2', '1:00:00.0')
    """
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    shown = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{shown}" if hours else f"{minutes}:{shown}"
