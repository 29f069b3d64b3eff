"""Prints the tables of a report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from face_det.cli import terminal

if TYPE_CHECKING:
    from face_det.evaluation import ReportTable

PROSE = 60
"""A column with so many characters in a cell holds sentences, not figures."""


def print_tables(tables: Iterable[ReportTable], console: Console) -> None:
    """Print each table with its title above and its note below it."""
    for table in tables:
        console.print(_rich_table(table))
        if table.note:
            console.print(table.note, style="dim", markup=False, highlight=False)
        console.print()


def _rich_table(table: ReportTable) -> RichTable:
    shown = RichTable(
        title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    shown.show_header = any(table.head)
    for number, head in enumerate(table.head):
        prose = any(len(row[number]) >= PROSE for row in table.rows)
        shown.add_column(head, justify="left" if number == 0 or prose else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*map(terminal.make_cell, row))
    return shown
