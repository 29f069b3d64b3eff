"""The command `face-det add`: enrols somebody with photos, through the daemon or in the files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from face_det.cli import terminal
from face_det.cli.changes import ChangePlace, find_change_place
from face_det.cli.shared_options import ConfigSource, daemon_options
from face_det.config import Config
from face_det.errors import DataError
from face_det.gallery import check_person_name
from face_det.media import load_image, read_image_bytes
from face_det.rpc import command_caller
from face_det.service import open_audit_log

TIMEOUT_S = 600.0
"""Seconds for a daemon to learn a photo, which includes training on everybody."""

Answer = dict[str, Any]
Add = Callable[[str, Path], Answer]


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
    with _adder(place) as add:
        for photo in photos:
            try:
                done.append({**add(name, photo), "photo": str(photo)})
            except DataError as error:
                # One photo without a face must not keep the others from being learnt.
                text = str(error)
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


@contextlib.contextmanager
def _adder(place: ChangePlace) -> Iterator[Add]:
    """Yield the function that enrols one photo at `place`."""
    if place.status is None:
        yield _in_files(place.config)
        return
    max_bytes = place.config.max_file_bytes
    with place.connect(TIMEOUT_S) as client:
        # The daemon may not be able to read the file, so it gets the bytes.
        yield lambda name, photo: client.add_face(name, read_image_bytes(photo, max_bytes=max_bytes))


def _in_files(config: Config) -> Add:
    from face_det.enrolment import recipe_as_json
    from face_det.service import build_enroller

    enroller = build_enroller(config)
    log = open_audit_log(config.audit_path, config.encodings_path)

    def add(name: str, photo: Path) -> Answer:
        max_pixels, max_bytes = config.max_pixels, config.max_file_bytes
        data = read_image_bytes(photo, max_bytes=max_bytes)
        rgb = load_image(data, max_pixels=max_pixels, max_bytes=max_bytes, place=str(photo))
        with log.recorded(command_caller(), "enrol", name) as counts:
            enrolled = enroller.enrol(name, data, rgb)
            counts |= {"images": enrolled.images}
        model = enrolled.recognizer.model
        assert model is not None
        return {
            "name": enrolled.name,
            "images": enrolled.images,
            "model": {"classifier": model.card.kind, **recipe_as_json(model.card)},
        }

    return add
