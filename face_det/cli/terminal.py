"""What commands print: as wide as the terminal, and nothing in it that a name smuggles in."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

PLAIN_WIDTH = 160
"""Columns where there is no terminal."""


def make_console() -> Console:
    """Stdout."""
    found = Console()
    return found if found.is_terminal else Console(width=PLAIN_WIDTH)


def make_printable(line: str) -> str:
    """A line as a terminal can show it, whatever is in a file's name."""
    return line if line.isprintable() else ascii(line)


def make_cell(text: str) -> Text:
    """A cell of a table as it is: brackets in a name are no markup."""
    return Text(make_printable(text))
