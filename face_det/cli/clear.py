"""The command `face-det clear`: removes everybody."""

from __future__ import annotations

from pathlib import Path

import click

from face_det.cli.backup_place import open_everything, print_replaced
from face_det.cli.changes import confirm, find_change_place
from face_det.cli.shared_options import ConfigSource, daemon_options


@click.command(
    help="Remove everybody who is enrolled: photos, encodings and the model. Settings stay, and what was "
    "there before is kept as a backup on the daemon's machine, so this is not how to forget somebody. A "
    "running daemon does it; without one, the files are changed directly."
)
@click.option("--sightings", is_flag=True, help="Erase all that was seen as well.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@daemon_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    sightings: bool,
    yes: bool,
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run the command."""
    place = find_change_place(config_source.load(), remote, keys)
    what = "everybody who is enrolled" + (" and all that was seen" if sightings else "")
    confirm(f"Remove {what} ({place})?", yes)
    with open_everything(place, config_source) as everything:
        report = everything.clear({"sightings": sightings})
    print_replaced(place, report, "removed", as_json=as_json)
