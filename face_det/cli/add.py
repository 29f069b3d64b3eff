"""The command `face-det add`: enrols somebody with photos, through the daemon or in the files."""

from __future__ import annotations

from pathlib import Path

import click

from face_det.cli import terminal
from face_det.cli.changes import find_change_place
from face_det.cli.enrolling import Answer, open_adder
from face_det.cli.shared_options import ConfigSource, daemon_options
from face_det.errors import DataError
from face_det.gallery import check_person_name
from face_det.media import read_image_bytes


@click.command(
    help="Enrol somebody with photos of their face, one face in each. A running daemon learns them and knows "
    "the person at once; without one, the files are changed directly."
)
@click.argument("name")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@daemon_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    name: str,
    photos: tuple[Path, ...],
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run the command."""
    config = config_source.load()
    check_person_name(name)
    place = find_change_place(config, remote, keys)
    done: list[Answer] = []
    failed: list[str] = []
    max_bytes = config.max_file_bytes
    with open_adder(place) as add:
        for photo in photos:
            try:
                picture = read_image_bytes(photo, max_bytes=max_bytes)
                done.append({**add(name, picture, None), "photo": str(photo)})
            except DataError as error:
                # One photo without a face must not keep the others from being learnt.
                text = str(error).removeprefix("bytes: ")
                failed.append(text if text.startswith(str(photo)) else f"{photo}: {text}")
    if as_json:
        click.echo(place.format_json(added=done, failed=failed))
    else:
        for one in done:
            click.echo(
                f"{one['photo']}: added; {one['name']} has {terminal.count_of(one['images'], 'photo')}"
            )
        if done:
            click.echo(f"added {place}\nmodel: {done[-1].get('model', {}).get('why') or 'trained'}")
    if failed:
        raise DataError(f"{len(failed)} of {len(photos)} photos were not added: {'; '.join(failed)}")
