"""Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table of the headings and rows; each cell is put on one line."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(map(cell, line))} |\n" for line in lines)


def cell(text: str) -> str:
    """Return the text on one line, with the character that would end a cell escaped."""
    return " ".join(text.split()).replace("|", "\\|")
