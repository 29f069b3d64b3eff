"""The command `face-det restore`: takes back what `face-det backup` saved."""

from __future__ import annotations

import uuid
from pathlib import Path

import click

from face_det.cli.backup_place import PART_BYTES, open_everything, print_replaced
from face_det.cli.changes import confirm, find_change_place
from face_det.cli.shared_options import ConfigSource, daemon_options
from face_det.errors import DataError


@click.command(
    help="Take back what `face-det backup` saved in FILE: its photos, encodings, model and settings replace "
    "those that are there, all of them or none. What was there before is kept as a backup. A running daemon "
    "does it; without one, the files are changed directly."
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sightings/--no-sightings", default=True, help="With or without what was seen; with it.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@daemon_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    file: Path,
    sightings: bool,
    yes: bool,
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run the command."""
    place = find_change_place(config_source.load(), remote, keys)
    try:
        archive = file.open("rb")
    except OSError as error:
        raise DataError(f"{file}: must be a file that face-det backup wrote: {error.strerror}") from error
    with archive:
        confirm(f"Replace everybody who is enrolled by those in {file} ({place})?", yes)
        with open_everything(place, config_source) as everything:
            identifier, offset = uuid.uuid4().hex, 0
            while part := archive.read(PART_BYTES):
                everything.write_restore(identifier, offset, part)
                offset += len(part)
            if not offset:
                raise DataError(f"{file}: must be a file that face-det backup wrote, got an empty one")
            report = everything.restore(identifier, {"sightings": sightings})
    print_replaced(place, report, "restored", as_json=as_json)
    if report["left_out"] and not as_json:
        click.echo(f"not taken over: {', '.join(report['left_out'])}", err=True)
