"""What an action is told of an event: fields in its arguments and messages, or all of it as JSON."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

FIELDS = (
    "person",
    "camera",
    "outcome",
    "time",
    "probability",
    "quality",
    "frames",
    "sighting",
    "visit",
    "seq",
)
"""The placeholders, which are written in braces."""
TOKEN = "token"
"""The placeholder in an address for the content of the token's file."""
STRANGER, SOMEBODY = "a stranger", "somebody"
MAX_TEXT = 1024
_FIELD = re.compile(r"\{([a-z]+)\}")


def fill(text: str, event: dict[str, Any]) -> str:
    """Return a text with an event's fields in place of their names in braces.

    >>> fill("{person} is at {camera}", {"name": None, "unknown": None, "outcome": "unknown",
    ...                                  "camera": "door", "time": 0.0})
    'a stranger is at door'
    """

    def value(match: re.Match[str]) -> str:
        return _value(match[1], event) if match[1] in FIELDS else match[0]

    return _FIELD.sub(value, text)


def describe(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with `person`: the name, the number of an unknown person, or what stands for it."""
    return {**event, "person": person_of(event)}


def person_of(event: dict[str, Any]) -> str:
    """Return who was seen.

    >>> person_of({"name": None, "unknown": "unknown-3", "outcome": "unknown"})
    'unknown-3'
    """
    named = event["name"] or event.get("unknown")
    return str(named) if named else (STRANGER if event["outcome"] == "unknown" else SOMEBODY)


def _value(field: str, event: dict[str, Any]) -> str:
    if field == "person":
        value: Any = person_of(event)
    elif field == "time":
        value = datetime.fromtimestamp(event["time"]).astimezone().isoformat(timespec="seconds")
    else:
        value = event.get(field)
    if isinstance(value, float):
        value = round(value, 4)
    # Whoever calls the daemon chooses the camera's name.
    text = "" if value is None else str(value)[:MAX_TEXT]
    return "".join(each if each.isprintable() else "?" for each in text)
