"""The command `face-det backup`: saves everything that was learnt in one file."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import click

from face_det.cli.backup_place import PART_BYTES, Everything, open_everything
from face_det.cli.changes import find_change_place
from face_det.cli.shared_options import ConfigSource, daemon_options
from face_det.errors import DataError
from face_det.storage import report_write_errors, sync_folder


@click.command(
    help="Save all photos, encodings, the model and the settings in one file, which only you may read. "
    "`face-det restore` takes it back, here or on another machine. A running daemon makes it; without one, "
    "it is made from the files. It shows everybody who is enrolled, also those who are forgotten later."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; face_det-TIME.zip by default.",
)
@click.option("--sightings/--no-sightings", default=True, help="With or without what was seen; with it.")
@daemon_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    output: Path | None,
    sightings: bool,
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run the command."""
    place = find_change_place(config_source.load(), remote, keys)
    with open_everything(place, config_source) as everything:
        made = everything.backup({"sightings": sightings})
        target = output or Path(f"face_det-{made['id']}.zip")
        try:
            _save(everything, made, target)
        finally:
            everything.drop_backup(made["id"])
    if as_json:
        report = {"file": str(target), "by": str(place), "bytes": made["bytes"], "sha256": made["sha256"]}
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(f"{target}: {made['bytes'] / 1e3:,.0f} kB, made {place}")


def _save(everything: Everything, made: dict[str, Any], target: Path) -> None:
    """Write a backup to a file: all of it, or nothing."""
    temporary = target.with_name(f".{target.name}.part")
    digest = hashlib.sha256()
    with report_write_errors(target):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a path has no mode
                for offset in range(0, made["bytes"], PART_BYTES):
                    part = everything.read_backup(made["id"], offset, PART_BYTES)
                    digest.update(part)
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            if digest.hexdigest() != made["sha256"]:
                raise DataError(
                    f"{target}: the backup changed while it was read; nothing was kept, try again"
                )
            temporary.replace(target)
            sync_folder(target.absolute().parent)
        finally:
            temporary.unlink(missing_ok=True)
