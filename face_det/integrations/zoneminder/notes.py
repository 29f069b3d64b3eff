"""The notes of an event, in the form that other detectors for ZoneMinder use."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

STRANGER = "unknown"
"""The label of a person without a name, as in pyzm."""

_HEAD = re.compile(r"\s*\[(\w)\] detected:(.*)", re.DOTALL)
_LABEL = re.compile(r"\s*([^|]+?):(\d+)%")


def update_notes(notes: str, people: Mapping[str, float], names: Collection[str]) -> str:
    """Return the notes with these people in front: a label and a probability (0..1) each.

    What other detectors have found is kept after them, and so is everything else, such as ZoneMinder's
    `Motion: ...`. Labels of an earlier run are replaced; `names` are those that may be ours.

    >>> update_notes("[a] detected:Bob:91% person:97% | Motion: All", {"Alice": 0.983}, ["Alice", "Bob"])
    '[a] detected:Alice:98% person:97% | Motion: All'
    >>> update_notes("Motion: All", {"Alice": 0.983}, ["Alice"])
    '[x] detected:Alice:98% | Motion: All'
    >>> update_notes("[x] detected:Alice:98% | Motion: All", {}, ["Alice"])
    'Motion: All'
    """
    before, motion, after = notes.partition("Motion:")
    frame, labels, rest = "x", {}, before
    if (head := _HEAD.fullmatch(before)) is not None:
        frame, rest = head[1], head[2]
        while (label := _LABEL.match(rest)) is not None:
            labels[label[1]] = int(label[2])
            rest = rest[label.end() :]
        rest = rest.strip().removeprefix("|").lstrip()
    ours = {label: round(100 * proba) for label, proba in people.items()}
    others = {label: percent for label, percent in labels.items() if label not in names and label != STRANGER}
    found = " ".join(f"{label}:{percent}%" for label, percent in {**ours, **others}.items())
    kept = rest + motion + after
    if not found:
        return kept
    return f"[{frame}] detected:{found}" + (f" | {kept}" if kept else "")


def spell_label(name: str) -> str:
    """Return a name in a form that ZoneMinder can store: its database refuses characters beyond U+FFFF.

    >>> spell_label("Zoë \U00020bb7")
    'Zoë ?'
    """
    return re.sub(r"[^\0-\uffff]", "?", name)
