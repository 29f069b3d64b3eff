"""Identifiers in calls: `unknown-3` for an unknown person, seconds since 1970 for times."""

from __future__ import annotations

import re

MAX_TIME_S = 1e11
"""The latest time that callers may name, in seconds since 1970."""
_UNKNOWN_ID = re.compile(r"unknown-([1-9][0-9]{0,17})")


def unknown_id(number: int) -> str:
    """Return the id of the unknown person with that number.

    >>> unknown_id(3)
    'unknown-3'
    """
    return f"unknown-{number}"


def unknown_number(identifier: str) -> int | None:
    """Return the number of an unknown person's id; None for any other text.

    >>> unknown_number("unknown-3"), unknown_number("unknown-03"), unknown_number("anna")
    (3, None, None)
    """
    found = _UNKNOWN_ID.fullmatch(identifier)
    return None if found is None else int(found[1])
