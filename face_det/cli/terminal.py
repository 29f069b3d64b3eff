"""Prints to the terminal at its full width, and escapes control characters in names."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

PLAIN_WIDTH = 160
"""The width in columns if stdout is not a terminal."""


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
