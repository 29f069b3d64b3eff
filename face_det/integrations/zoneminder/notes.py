"""The notes of an event, in the form that other detectors for ZoneMinder use."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

STRANGER = "unknown"
"""The label of a person without a name, as in pyzm."""

_HEAD = re.compile(r"\s*\[\w\] detected:")
_SEPARATOR = " | "
"""What stands between labels and the notes that were there before, if those had no labels."""


def update_notes(notes: str, people: Mapping[str, float], names: Collection[str]) -> str:
    """Return the notes with these people in front: a label and a probability (0..1) each.

    Everything else stays to the letter after them: what other detectors have found, and ZoneMinder's own
    `Motion: ...`. Labels of an earlier run, which are in front, are replaced; `names` are those that may be
    ours.

    >>> update_notes("[a] detected:Bob:91% person:97% | Motion: All", {"Alice": 0.983}, ["Alice", "Bob"])
    '[a] detected:Alice:98% person:97% | Motion: All'
    >>> update_notes("Motion: All", {"Alice": 0.983}, ["Alice"])
    '[x] detected:Alice:98% | Motion: All'
    >>> update_notes("[x] detected:Alice:98% | Motion: All", {}, ["Alice"])
    'Motion: All'
    """
    head = _HEAD.match(notes)
    if head is None:
        return _put_in_front("[x] detected:", people, _SEPARATOR, notes)
    begin, rest = notes[: head.end()], notes[head.end() :]
    label = "|".join(map(re.escape, sorted({*names, STRANGER}, key=len, reverse=True)))
    ours = re.match(rf"(?:{label}):\d+%(?: (?:{label}):\d+%)*(?= |\Z)", rest)
    if ours is not None:
        rest = rest[ours.end() :]
        if not rest or rest.startswith(_SEPARATOR):
            return _put_in_front(begin, people, _SEPARATOR, rest.removeprefix(_SEPARATOR))
        rest = rest.removeprefix(" ")
    return _put_in_front(begin, people, " ", rest) if people else begin + rest


def _put_in_front(head: str, people: Mapping[str, float], separator: str, rest: str) -> str:
    if not people:
        return rest
    found = " ".join(f"{label}:{round(100 * proba)}%" for label, proba in people.items())
    return head + found + (separator + rest if rest else "")


def spell_label(name: str) -> str:
    """Return a name in a form that ZoneMinder can store: its database refuses characters beyond U+FFFF.

    >>> spell_label("Zoë \U00020bb7")
    'Zoë ?'
    """
    return re.sub(r"[^\0-\uffff]", "?", name)
