"""The command `face-det import`: enrols the people of another program."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from face_det.cli import terminal
from face_det.cli.changes import ChangePlace, find_change_place
from face_det.cli.enrolling import open_enrolment
from face_det.cli.interruption import Interruption
from face_det.cli.progress import show_progress
from face_det.cli.shared_options import ConfigSource, daemon_options, refuse_ignored
from face_det.errors import DataError, TryAgain
from face_det.exchange import (
    FORMATS,
    Enrolment,
    ImportedPhoto,
    ImportOutcome,
    NamedPhotos,
    Rehearsal,
    Source,
    import_photos,
    name_photos,
)


@click.command(
    help="Enrol the people whose photos another program keeps. SOURCE is its folder or file, or the address "
    "of its API. Each photo is checked as `face-det add` does; those that cannot be used are listed with the "
    "reasons. Nothing is overwritten, and an import that was cut off goes on where it was. A running daemon "
    "learns the photos; without one, the files are changed directly."
)
@click.option("--from", "form", required=True, type=click.Choice([*FORMATS]), help="The other program.")
@click.argument("source")
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="For an address: the file with the key to the API.",
)
@click.option("--dry-run", is_flag=True, help="Check the photos and print the report; enrol nobody.")
@daemon_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    form: str,
    source: str,
    api_key_file: Path | None,
    dry_run: bool,
    remote: str | None,
    keys: Path | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run the command."""
    if dry_run and remote is not None:
        raise click.UsageError(
            "--dry-run checks with this machine's networks and photos; leave out --remote."
        )
    if not Source(source).is_address:
        refuse_ignored("unless SOURCE is an address", "api_key_file")
    config = config_source.load()
    key = None if api_key_file is None else _read_key(api_key_file)
    place = find_change_place(config, remote, keys)
    named = name_photos(FORMATS.create(form).find(Source(source, key, config.max_file_bytes)))
    done: list[ImportedPhoto] = []
    stopped: TryAgain | None = None
    with _enrolment(place, dry_run) as enrolment, show_progress() as shown, Interruption() as interruption:
        try:
            for one in interruption.until(import_photos(named, enrolment)):
                done.append(one)
                shown("photos", len(done), len(named.photos))
        except TryAgain as error:
            stopped = error
    done += [ImportedPhoto(one.place, one.name, ImportOutcome.REFUSED, one.reason) for one in named.left_out]
    if as_json:
        click.echo(place.format_json(**_as_json(form, named, done, dry_run)))
    else:
        click.echo(_format(place, named, done, dry_run))
    if interruption.asked:
        click.echo("face-det: interrupted; the same command goes on", err=True)
        raise click.exceptions.Exit(130)
    if stopped is not None:
        raise stopped
    if not any(one.outcome is not ImportOutcome.REFUSED for one in done):
        raise DataError(f"{source}: must hold photos that can be enrolled, got none; the reasons are above")


@contextlib.contextmanager
def _enrolment(place: ChangePlace, dry_run: bool) -> Iterator[Enrolment]:
    if not dry_run:
        with open_enrolment(place) as enrolment:
            yield enrolment
        return
    from face_det.engine import build_engine
    from face_det.service import build_enrolment_options

    options = build_enrolment_options(place.config)
    yield Rehearsal(place.config.dataset_path, lambda: build_engine(options))


def _read_key(path: Path) -> str:
    try:
        key = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "bytes that are not UTF-8"
        raise DataError(f"{path}: must be a file with an API key, got: {why}") from error
    if not key.isascii() or not key.isprintable() or not key:
        raise DataError(f"{path}: must hold an API key in one line of ASCII")
    return key


def _as_json(
    form: str, named: NamedPhotos, done: Sequence[ImportedPhoto], dry_run: bool
) -> dict[str, object]:
    counts = Counter(one.outcome.value for one in done)
    return {
        "format": form,
        "dryRun": dry_run,
        **{outcome.value: counts[outcome.value] for outcome in ImportOutcome},
        "renamed": named.renamed,
        "photos": [{**asdict(one), "outcome": one.outcome.value} for one in done],
    }


def _format(place: ChangePlace, named: NamedPhotos, done: Sequence[ImportedPhoto], dry_run: bool) -> str:
    lines = [f"{name}: becomes {target}" for name, target in named.renamed.items()]
    lines += [f"{one.place}: {one.reason}" for one in done if one.outcome is ImportOutcome.REFUSED]
    people: dict[str, Counter[ImportOutcome]] = {}
    for one in done:
        if one.name is not None:
            people.setdefault(one.name, Counter())[one.outcome] += 1
    added = "would be added" if dry_run else "added"
    for name, counts in sorted(people.items()):
        lines.append(
            f"{name}: {terminal.count_of(counts[ImportOutcome.ADDED], 'photo')} {added}, "
            f"{counts[ImportOutcome.PRESENT]} there already, {counts[ImportOutcome.REFUSED]} refused"
        )
    lines.append("nothing was changed" if dry_run else f"imported {place}")
    return "\n".join(map(terminal.make_printable, lines))
