"""Prints to the terminal at its full width, and escapes control characters in names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

PLAIN_WIDTH = 160
"""The width in columns if stdout is not a terminal."""

MAX_OTHERS = 3
"""How many files that are not pictures are named."""


def make_console() -> Console:
    """Return a console that writes to stdout."""
    found = Console()
    return found if found.is_terminal else Console(width=PLAIN_WIDTH)


def make_printable(line: str) -> str:
    """Escape a line that has characters a terminal must not receive.

    >>> make_printable("odd\\nname.jpg")
    "'odd\\\\nname.jpg'"
    """
    return line if line.isprintable() else ascii(line)


def make_cell(text: str) -> Text:
    """Return a table cell that shows the text literally; brackets in a name are not markup."""
    return Text(make_printable(text))


def count_of(number: int, what: str) -> str:
    """Return a number with its noun.

    >>> count_of(1, "photo"), count_of(2, "photo"), count_of(2, "person")
    ('1 photo', '2 photos', '2 people')
    """
    plural = f"{what.removesuffix('person')}people" if what.endswith("person") else f"{what}s"
    return f"{number} {what if number == 1 else plural}"


def summarize_others(paths: Sequence[Path]) -> str:
    """Return a line that counts files that are not pictures, and names the first.

    >>> summarize_others([Path("a/notes.txt"), Path("b/data.csv")])
    'not pictures: 2 (notes.txt, data.csv)'
    """
    return f"not pictures: {list_files(paths)}"


def list_files(paths: Sequence[Path]) -> str:
    """Return the number of files and the names of the first.

    >>> list_files([Path("anna/door.wav")])
    '1 (door.wav)'
    """
    shown = ", ".join(make_printable(path.name) for path in paths[:MAX_OTHERS])
    return f"{len(paths)} ({shown}{', ...' if len(paths) > MAX_OTHERS else ''})"
