"""The command `face-det export`: saves all that is known about a person."""

from __future__ import annotations

from pathlib import Path

import click

from face_det.cli.shared_options import ConfigSource, daemon_options, make_client
from face_det.storage import write_atomically

TIMEOUT_S = 600.0


@click.command(
    help="Save all that is known about a person as a zip: photos, encodings, sightings with their pictures, "
    "events and corrections. NAME is somebody enrolled or an unknown person, such as unknown-3. The daemon "
    "must be running."
)
@click.argument("name")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; NAME.zip by default.",
)
@daemon_options
def command(
    name: str, output: Path | None, remote: str | None, keys: Path | None, config_source: ConfigSource
) -> None:
    """Run the command."""
    target = output or Path(f"{name}.zip")
    with make_client(config_source.load(), TIMEOUT_S, endpoint=remote, keys=keys) as client:
        data = client.export(name)
    write_atomically(target.absolute(), data)
    click.echo(f"{target}: {len(data) / 1e3:,.0f} kB")
