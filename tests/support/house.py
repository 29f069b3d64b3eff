"""The order of the rooms, as CONTRIBUTING.md draws it."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "face_det"


def drawn_order() -> list[set[str]]:
    """The rooms on each line of the drawing, the ground first."""
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text("utf-8")
    drawing = re.search(r"<!-- rooms: .*? -->\n```text\n(.*?)```", text, re.S)
    assert drawing is not None
    there = {
        path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    lines = []
    for line in drawing[1].splitlines():
        # The rooms stand in columns before what is said of them.
        rooms = re.match(r"(?:[a-z_]+(?:  +|$))+", line)
        assert rooms is not None, line
        lines.append(set(rooms[0].split()) & there)
    return lines[::-1]


ORDER = drawn_order()
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
