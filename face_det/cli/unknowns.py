"""The command `face-det unknowns`: lists unknown people, names, merges, splits and ignores them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from face_det.cli import terminal
from face_det.cli.contact_sheet import Portrait, render_contact_sheet
from face_det.cli.corrections import json_option, refuse_options_before, run_correction
from face_det.cli.shared_options import ConfigSource, daemon_options, make_client
from face_det.cli.times import format_time
from face_det.errors import UnknownSighting
from face_det.storage import write_atomically

if TYPE_CHECKING:
    from face_det.rpc import Client

TIMEOUT_S = 60.0
PORTRAITS = 8
"""The most faces that the page shows of each person."""
LATEST = 100
"""The page's faces are chosen from so many of a person's latest sightings."""

UnknownPerson = dict[str, Any]


@click.group(
    invoke_without_command=True,
    help="List the people whom a running daemon has seen repeatedly without knowing their names, most "
    "often seen first. The daemon remembers them if config.json has `sightings`. Exit code 65 if it "
    "does not, 75 if none answers.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page with their faces, in one file without scripts, for any browser.",
)
@daemon_options
@json_option
@click.pass_context
def command(
    context: click.Context,
    page: Path | None,
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """List unknown people, unless a subcommand follows."""
    if context.invoked_subcommand is not None:
        refuse_options_before(context)
        return
    with make_client(config_source.load(), TIMEOUT_S, endpoint=remote, keys=keys) as client:
        people = client.unknowns()
        if page is not None:
            sheet = render_contact_sheet([(person, _portraits(client, person)) for person in people])
            write_atomically(page, sheet.encode())
    if as_json:
        click.echo(json.dumps(people, indent=2))
    elif people:
        terminal.make_console().print(_table(people))
    written = "" if page is None else f"; their faces are in {page}"
    click.echo(f"{terminal.count_of(len(people), 'unknown person')}{written}", err=True)
    if people and not as_json:
        click.echo(f"name one with: face-det unknowns name {people[0]['id']} NAME", err=True)


@command.command(
    "name",
    help="Give an unknown person a name. Their best pictures become training photos, all their sightings "
    "get the name, and they are recognised from the next call on.",
)
@click.argument("identifier", metavar="ID")
@click.argument("name")
@daemon_options
@json_option
def name_command(identifier: str, name: str, **where: Any) -> None:
    """Name an unknown person."""

    def describe(done: dict[str, Any]) -> str:
        photos = terminal.count_of(done.get("photos", 0), "training photo")
        sightings = terminal.count_of(done["sightings"], "sighting")
        return f"{identifier} is {done['name']} now: {sightings}, {photos}"

    run_correction(lambda client: client.name_unknown(identifier, name), describe, **where)


@command.command(
    "merge",
    help="Merge several unknown people into one, who keeps the oldest number. If one of them was ignored, "
    "the merged person is ignored, too.",
)
@click.argument("identifiers", metavar="ID...", nargs=-1, required=True)
@daemon_options
@json_option
def merge_command(identifiers: tuple[str, ...], **where: Any) -> None:
    """Merge unknown people."""

    def describe(done: dict[str, Any]) -> str:
        sightings = terminal.count_of(done["sightings"], "sighting")
        ignored = "; one of them was ignored, so this person is, too" if done.get("ignored") else ""
        merged = f"{' and '.join(identifiers)} are one person now: {done['unknowns'][0]}, with {sightings}"
        return f"{merged}{ignored}"

    run_correction(lambda client: client.merge(list(identifiers)), describe, **where)


@command.command(
    "split",
    help="Split some sightings of an unknown person off into a new one. `face-det sightings --unknown ID` "
    "lists them.",
)
@click.argument("identifier", metavar="ID")
@click.argument("sightings", metavar="SIGHTING...", nargs=-1, required=True, type=click.IntRange(min=0))
@daemon_options
@json_option
def split_command(identifier: str, sightings: tuple[int, ...], **where: Any) -> None:
    """Split an unknown person."""

    def describe(done: dict[str, Any]) -> str:
        old, new = done["unknowns"]
        return f"{new} is new, with {terminal.count_of(done['sightings'], 'sighting')} of {old}"

    run_correction(lambda client: client.split(identifier, list(sightings)), describe, **where)


@command.command(
    "ignore",
    help="Stop reporting an unknown person, and never take that face for somebody who is enrolled. Use it "
    "for the postman, or a face on a poster.",
)
@click.argument("identifier", metavar="ID")
@daemon_options
@json_option
def ignore_command(identifier: str, **where: Any) -> None:
    """Ignore an unknown person."""
    run_correction(
        lambda client: client.ignore(identifier),
        lambda done: f"{done['unknowns'][0]} is ignored now and appears in no more events",
        **where,
    )


@command.command(
    "undo",
    help="Undo a change by its number, which each command prints. Later changes of the same people or "
    "sightings must be undone first.",
)
@click.argument("change", type=click.IntRange(min=0))
@daemon_options
@json_option
def undo_command(change: int, **where: Any) -> None:
    """Undo a change."""

    def describe(done: dict[str, Any]) -> str:
        photos = (
            f"; {terminal.count_of(done['photos'], 'training photo')} removed" if "photos" in done else ""
        )
        people = f" of {' and '.join(done['unknowns'])}" if done.get("unknowns") else ""
        sightings = terminal.count_of(done["sightings"], "sighting")
        return f"change {change} is undone: {sightings}{people} as before{photos}"

    run_correction(lambda client: client.undo(change), describe, undoable=False, **where)


def _portraits(client: Client, person: UnknownPerson) -> list[Portrait]:
    """Return a person's best faces of late, the best of all first."""
    latest = client.sightings({"unknown": person["id"], "limit": LATEST})["items"]
    best_first = sorted(latest, key=lambda item: (item["id"] != person["best"], -(item["quality"] or 0.0)))
    found: list[Portrait] = []
    for item in best_first:
        if len(found) == PORTRAITS:
            break
        try:
            found.append(Portrait(client.thumbnail(item["id"]), item["time"], item["camera"], item["id"]))
        except UnknownSighting:
            continue
    return found


def _table(people: Sequence[UnknownPerson]) -> Table:
    table = Table("who")
    for column in ("sightings", "visits"):
        table.add_column(column, justify="right")
    for column in ("first", "last", "cameras"):
        table.add_column(column)
    for person in people:
        table.add_row(
            person["id"],
            str(person["sightings"]),
            str(person["visits"]),
            format_time(person["first"]),
            format_time(person["last"]),
            terminal.make_cell(", ".join(person["cameras"])),
        )
    return table
