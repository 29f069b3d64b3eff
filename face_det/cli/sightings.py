"""The command `face-det sightings`: who was seen, when and where; confirms and corrects single sightings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from face_det.cli import terminal
from face_det.cli.corrections import json_option, refuse_options_before, run_correction
from face_det.cli.shared_options import ConfigSource, daemon_options, make_client
from face_det.cli.times import convert_time, format_time
from face_det.errors import UnknownSighting
from face_det.sightings import MAX_PAGE
from face_det.storage import make_folder, report_write_errors, write_atomically
from face_det.types import Outcome

if TYPE_CHECKING:
    from face_det.rpc import Client

TIMEOUT_S = 60.0
ANY_UNKNOWN = "any"

Sighting = dict[str, Any]


@click.group(
    invoke_without_command=True,
    help="List who was seen, the latest first, as a running daemon remembers it. The daemon remembers if "
    "config.json has `sightings`. Exit code 65 if it does not, 75 if none answers.",
)
@click.option(
    "--since",
    metavar="TIME",
    callback=convert_time,
    help="Only from this time on: a date, a date and time such as 2026-11-29T18:30, or an age such as 30m, "
    "2h or 7d.",
)
@click.option("--until", metavar="TIME", callback=convert_time, help="Only before this time.")
@click.option("--camera", help="Only what this camera saw.")
@click.option("--name", help="Only this person.")
@click.option(
    "--unknown",
    is_flag=False,
    flag_value=ANY_UNKNOWN,
    metavar="[ID]",
    help="Only this unknown person, such as unknown-3, or all of them.",
)
@click.option(
    "--outcome",
    type=click.Choice([outcome.value for outcome in Outcome]),
    help="Only faces with this outcome.",
)
@click.option("--limit", type=click.IntRange(min=1), default=50, help="List at most this many; default: 50.")
@click.option(
    "--thumbnails",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Also save each face in this folder, as sighting-ID.jpg.",
)
@daemon_options
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    limit: int,
    thumbnails: Path | None,
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
    as_json: bool,
    **filters: Any,
) -> None:
    """List sightings, unless a subcommand follows."""
    if context.invoked_subcommand is not None:
        refuse_options_before(context)
        return
    query = {key: value for key, value in filters.items() if value is not None}
    if query.get("unknown") == ANY_UNKNOWN:
        query["unknown"] = True
    with make_client(config_source.load(), TIMEOUT_S, endpoint=remote, keys=keys) as client:
        page = _list_sightings(client, query, limit)
        saved = None if thumbnails is None else _save_thumbnails(client, page["items"], thumbnails)
    if as_json:
        click.echo(json.dumps(page, indent=2))
    elif page["items"]:
        terminal.make_console().print(_table(page["items"]))
    more = "; there are more, see --limit and --until" if page["next"] is not None else ""
    click.echo(f"{terminal.count_of(len(page['items']), 'sighting')}{more}", err=True)
    if saved is not None:
        lacking = len(page["items"]) - saved
        without = f"; {lacking} have none" if lacking else ""
        click.echo(f"{terminal.count_of(saved, 'thumbnail')} saved in {thumbnails}{without}", err=True)


@command.command(
    "confirm",
    help="Confirm that a sighting shows this person. A clear face becomes a training photo. If the daemon "
    "gave another name, faces like this one do not get that name again.",
)
@click.argument("sighting", type=click.IntRange(min=0))
@click.argument("name")
@daemon_options
@json_option
def confirm_command(sighting: int, name: str, **where: Any) -> None:
    """Name a sighting."""
    run_correction(
        lambda client: client.confirm(sighting, name), lambda done: _named(sighting, done), **where
    )


@command.command(
    "correct",
    help="Correct a sighting that got the wrong name. Faces like this one do not get that name again. --name "
    "says who it is; without it, the person is taken to be nobody who is enrolled.",
)
@click.argument("sighting", type=click.IntRange(min=0))
@click.option("--name", help="The right name.")
@daemon_options
@json_option
def correct_command(sighting: int, name: str | None, **where: Any) -> None:
    """Correct a sighting."""
    run_correction(
        lambda client: client.correct(sighting, name), lambda done: _named(sighting, done), **where
    )


def describe_who(sighting: Sighting) -> str:
    """Say in a word or two whom a sighting shows: a name, an unknown person, or why there is no name.

    >>> describe_who({"face": None, "unknown": "unknown-3", "outcome": "uncertain", "faceReason": None})
    'unknown-3 (uncertain)'
    """
    outcome, unknown = sighting["outcome"], sighting["unknown"]
    if outcome == Outcome.KNOWN.value and sighting["face"] is not None:
        return str(sighting["face"])
    if unknown is not None:
        return f"{unknown} (uncertain)" if outcome == Outcome.UNCERTAIN.value else str(unknown)
    if outcome == Outcome.UNCERTAIN.value:
        return "uncertain"
    return str(sighting["face"] or sighting["faceReason"] or outcome or "-")


def _list_sightings(client: Client, query: dict[str, Any], limit: int) -> dict[str, Any]:
    """Return up to `limit` sightings in the form of one page."""
    items: list[Sighting] = []
    page: dict[str, Any] = {"next": None}
    while True:
        more = {} if page["next"] is None else {"cursor": page["next"]}
        page = client.sightings({**query, **more, "limit": min(limit - len(items), MAX_PAGE)})
        items += page["items"]
        if page["next"] is None or len(items) >= limit:
            return {"items": items, "next": page["next"]}


def _save_thumbnails(client: Client, items: Sequence[Sighting], folder: Path) -> int:
    with report_write_errors(folder, "no thumbnail was saved"):
        make_folder(folder)
    saved = 0
    for item in items:
        try:
            jpeg = client.thumbnail(item["id"])
        except UnknownSighting:
            # It was removed in the meantime, or its face was not cut out.
            continue
        write_atomically(folder / f"sighting-{item['id']}.jpg", jpeg)
        saved += 1
    return saved


def _table(items: Sequence[Sighting]) -> Table:
    table = Table("time", "camera", "who")
    for column in ("probability", "quality", "id"):
        table.add_column(column, justify="right")
    for item in items:
        table.add_row(
            format_time(item["time"]),
            terminal.make_cell(item["camera"] or "-"),
            terminal.make_cell(describe_who(item)),
            _share(item["faceProba"]),
            _share(item["quality"]),
            str(item["id"]),
        )
    return table


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _named(sighting: int, done: dict[str, Any]) -> str:
    if done["name"] is None:
        unknown = f"; it belongs to {done['unknowns'][0]}" if done.get("unknowns") else ""
        return f"sighting {sighting} shows nobody who is enrolled{unknown}"
    photo = "; the face is a training photo now" if done.get("photos") else ""
    return f"sighting {sighting} shows {done['name']}{photo}"
