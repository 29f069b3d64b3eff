"""Prints what other parameters would change, as tables or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click
from rich.table import Table

from face_det.cli import terminal

if TYPE_CHECKING:
    from face_det.tuning import ChangeReport

NOBODY = "-"
MOST_NAMED = 10
"""How many skipped records and pictures are named, each on a line; --json lists more."""


def print_report(report: ChangeReport, *, as_json: bool) -> None:
    """Print the report on stdout, and what was skipped on stderr."""
    values = report.as_json()
    if as_json:
        click.echo(json.dumps(values, indent=2))
    else:
        _print_tables(report)
    for one in values["skipped"][:MOST_NAMED]:
        click.echo(terminal.make_printable(f"{one['what']}: {one['_id']}: {one['why']}"), err=True)
    skipped = report.gone + report.unreadable + report.malformed
    if skipped:
        counts = (
            terminal.count_of(report.malformed, "malformed record"),
            f"{terminal.count_of(report.gone, 'picture')} gone from disk",
            terminal.count_of(report.unreadable, "unreadable picture"),
        )
        more = "; --json lists them" if skipped > MOST_NAMED else ""
        click.echo(f"skipped: {', '.join(counts)}{more}", err=True)


def _print_tables(report: ChangeReport) -> None:
    values, console = report.as_json(), terminal.make_console()
    if report.labels:
        rows = [(row["stored"], row["new"], row["labels"]) for row in values["answers"]]
        changes = ((one, other, n, "" if one == other else "changed") for one, other, n in rows)
        console.print(_table(("stored", "now", "labels", ""), changes))
    people = report.people()
    if people:
        heads = ("person", "stored", "now", "the same", "now nobody", "now another")
        console.print(
            _table(heads, ((one.name, one.stored, one.new, one.kept, one.lost, one.taken) for one in people))
        )
    if report.unjudged:
        found = [(row["new"], row["labels"]) for row in values["withoutStoredAnswer"]]
        console.print(_table(("without a stored answer, now", "faces"), found))
    changed = f"{report.changed} of {terminal.count_of(report.labels, 'label')}"
    click.echo(f"{changed} would get another answer, in {terminal.count_of(report.frames, 'frame')}")


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    table = Table()
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(terminal.make_cell(NOBODY if cell is None else str(cell)) for cell in row))
    return table
