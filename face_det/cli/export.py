"""The command `face-det export`: saves all that is known about a person, or photos for another program."""

from __future__ import annotations

import json
from pathlib import Path

import click

from face_det.cli import terminal
from face_det.cli.changes import find_change_place
from face_det.cli.interruption import Interruption
from face_det.cli.progress import show_progress
from face_det.cli.shared_options import ConfigSource, daemon_options, make_client, refuse_ignored
from face_det.config import Config
from face_det.engine import build_engine
from face_det.errors import DataError
from face_det.exchange import (
    FORMATS,
    ExportedFile,
    FaceFinder,
    check_export_folder,
    plan_export,
    write_exported,
)
from face_det.gallery import list_photos
from face_det.service import build_enrolment_options
from face_det.storage import write_atomically

TIMEOUT_S = 600.0
_WRITABLE = [name for name, spec in FORMATS.items() if spec.exports]


@click.command(
    help="Save all that is known about a person as a zip: photos, encodings, sightings with their pictures, "
    "events and corrections. NAME is somebody enrolled or an unknown person, such as unknown-3. The daemon "
    "must be running. With --to, write the photos of everybody enrolled into the folder FOLDER, as another "
    "program reads them. Nothing is overwritten."
)
@click.argument("name", metavar="NAME|FOLDER")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; NAME.zip by default.",
)
@click.option("--to", "form", type=click.Choice(_WRITABLE), help="The program that is to read the photos.")
@click.option("--person", "people", multiple=True, help="With --to: only this person; may be repeated.")
@daemon_options
@click.option("--json", "as_json", is_flag=True, help="With --to: print the report as JSON.")
def command(
    name: str,
    output: Path | None,
    form: str | None,
    people: tuple[str, ...],
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run the command."""
    if form is not None:
        refuse_ignored("with --to, which writes the photos in datasetPath", "output", "remote", "keys")
        _export_photos(form, Path(name), people, config_source.load(), as_json)
        return
    refuse_ignored("without --to", "people", "as_json")
    target = output or Path(f"{name}.zip")
    with make_client(config_source.load(), TIMEOUT_S, endpoint=remote, keys=keys) as client:
        data = client.export(name)
    write_atomically(target.absolute(), data)
    click.echo(f"{target}: {len(data) / 1e3:,.0f} kB")


def _export_photos(form: str, folder: Path, people: tuple[str, ...], config: Config, as_json: bool) -> None:
    """Write photos for another program, and print the report; raise DataError if some could not be."""
    check_export_folder(folder, config.dataset_path)
    place = find_change_place(config, None, None)
    photos = list_photos(config.dataset_path)
    if missing := [one for one in people if one not in photos]:
        raise DataError(f"{', '.join(missing)}: must have photos in {config.dataset_path}, got none")
    chosen = {one: paths for one, paths in photos.items() if not people or one in people}
    finder = FaceFinder(lambda: build_engine(build_enrolment_options(config)))
    files = plan_export(form, chosen, finder)
    done: list[ExportedFile] = []
    with show_progress() as shown, Interruption() as interruption:
        for one in interruption.until(write_exported(files, folder)):
            done.append(one)
            shown("photos", len(done), len(files))
    failed = [one for one in done if one.reason is not None]
    written = [one for one in done if one.written]
    if as_json:
        report = {
            "dataset": place.dataset,
            "format": form,
            "written": [str(one.path) for one in written],
            "present": len(done) - len(written) - len(failed),
            "failed": [{"path": str(one.path), "why": one.reason} for one in failed],
        }
        click.echo(json.dumps(report, indent=2))
    else:
        lines = [f"{one.path}: {one.reason}" for one in failed]
        lines.append(
            f"{folder}: {terminal.count_of(len(written), 'file')} written, "
            f"{len(done) - len(written) - len(failed)} there already, {len(failed)} left out"
        )
        click.echo("\n".join(map(terminal.make_printable, lines)))
    if interruption.asked:
        click.echo("face-det: interrupted; the same command goes on", err=True)
        raise click.exceptions.Exit(130)
    if failed:
        raise DataError(f"{len(failed)} of {len(files)} files were not written; the first: {failed[0].path}")
