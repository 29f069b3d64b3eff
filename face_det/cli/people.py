"""The command `face-det people`: lists who is enrolled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from face_det.cli import terminal
from face_det.cli.changes import find_change_place
from face_det.cli.shared_options import ConfigSource, daemon_options
from face_det.config import Config
from face_det.errors import ModelError, UnsafePickle

TIMEOUT_S = 60.0


@click.command(
    help="List who is enrolled, with their numbers of photos and recordings: those whom a running daemon "
    "knows or, without one, those in the files."
)
@daemon_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(remote: str | None, keys: Path | None, config_source: ConfigSource, as_json: bool) -> None:
    """Run the command."""
    config = config_source.load()
    place = find_change_place(config, remote, keys)
    if place.status is None:
        people = _in_files(config)
    else:
        with place.connect(TIMEOUT_S) as client:
            people = client.people()
    if as_json:
        click.echo(json.dumps(people, indent=2))
        return
    table = Table("person")
    # A daemon of an earlier version counts no recordings.
    counts = {"photos": "images", "recordings": "recordings"}
    if not any(one.get("recordings") for one in people):
        del counts["recordings"]
    for title in counts:
        table.add_column(title, justify="right")
    for one in people:
        table.add_row(terminal.make_cell(one["name"]), *(str(one[key]) for key in counts.values()))
    terminal.make_console().print(table)
    click.echo(f"{terminal.count_of(len(people), 'person')}, known {place}", err=True)


def _in_files(config: Config) -> list[dict[str, Any]]:
    from face_det.enrolment import count_photos
    from face_det.gallery import count_recordings
    from face_det.service import build_enroller

    try:
        model = build_enroller(config).model()
    except (ModelError, UnsafePickle) as error:
        click.echo(f"face-det: {error}; listed from the photos alone", err=True)
        model = None
    photos, recordings = count_photos(config.dataset_path, model), count_recordings(config.dataset_path)
    return [
        {"name": name, "images": photos.get(name, 0), "recordings": recordings.get(name, 0)}
        for name in sorted({*photos, *recordings})
    ]
