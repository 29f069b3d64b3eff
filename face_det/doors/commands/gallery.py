"""`face-det gallery`: check the photos of the dataset, put bad ones aside, and back."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from face_det import config as configuration
from face_det import engine as engines
from face_det.config import Config
from face_det.doors import gallery_report, progress
from face_det.doors.assemble import enrolment_options
from face_det.doors.caller import open_audit
from face_det.errors import DataError, TryAgain
from face_det.geometry import GEOMETRY
from face_det.identity import audit, check, check_facts, encode, enrol, quarantine
from face_det.identity.cache import Cache, Omission, cache_path, read_photo
from face_det.identity.check import Finding, Kind, Photo
from face_det.identity.fingerprints import BOTH, DLIB

SURE = 0.95
"""What is put aside unless something else is asked for: these kinds, from this sureness on."""
KINDS = (Kind.MISPLACED, Kind.UNREADABLE, Kind.DUPLICATE)
_CONFIG = click.option("--config", "config_path", type=click.Path(path_type=Path), help="config.json to use.")
_DATASET = click.option(
    "-i", "--dataset", type=click.Path(path_type=Path), help="Photos; default: datasetPath."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


@click.group(help="Look after the photos of the dataset. Nothing is ever deleted.")
def command() -> None:
    """Entry point of the command."""


@command.command(
    "check",
    help="Find photos that do not belong, that say nothing new or are too poor, people who look alike, and "
    "people with too few photos.",
)
@_DATASET
@click.option(
    "-k",
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in Kind]),
    help="Only findings of this kind; may be repeated.",
)
@click.option(
    "--sure",
    type=click.FloatRange(0.0, 1.0),
    help=f"Only findings that are as sure; what is put aside without --kind must be {SURE:g} sure.",
)
@click.option(
    "--quarantine",
    "aside",
    is_flag=True,
    help="Put photos aside, into .quarantine/ in the dataset: misplaced and unreadable photos, second "
    "copies of a file; with --kind, all of those kinds. `gallery undo` puts them back.",
)
@click.option("--dry-run", is_flag=True, help="With --quarantine: only say what would be put aside.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes that encode; default: one a core.")
@_CONFIG
@_JSON
def check_command(
    dataset: Path | None,
    kinds: tuple[str, ...],
    sure: float | None,
    aside: bool,
    dry_run: bool,
    jobs: int | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Check, print, and put aside what is asked for."""
    if dry_run and not aside:
        raise click.UsageError("--dry-run needs --quarantine.")
    config = configuration.load(configuration.locate(config_path, os.environ), os.environ)
    place = (dataset or config.dataset_path).absolute()
    photos, found = _checked(place, config, jobs or len(os.sched_getaffinity(0)))
    found = [one for one in found if (not kinds or one.kind.value in kinds) and one.sure >= (sure or 0.0)]
    chosen = _chosen(found, by_default=not kinds, sure=SURE if sure is None and not kinds else 0.0)
    moved: list[Path] = []
    if aside and not dry_run:
        with open_audit(config).recorded(audit.command(), "quarantine") as counts:
            done = quarantine.put_aside(
                place, [(path, f"{one.kind.value}: {one.what}") for path, one in chosen.items()]
            )
            counts["images"] = len(done)
        moved = [place / one.source for one in done]
    elif aside:
        moved = list(chosen)
    if as_json:
        click.echo(json.dumps(gallery_report.values(place, photos, found, moved, dry_run), indent=2))
    else:
        click.echo(gallery_report.text(place, photos, found))
        click.echo(gallery_report.aside_text(place, moved, chosen, aside=aside, dry_run=dry_run))


@command.command("undo", help="Put the photos of the last quarantine back to where they were.")
@_DATASET
@click.option("--all", "everything", is_flag=True, help="Of every quarantine.")
@_CONFIG
@_JSON
def undo_command(dataset: Path | None, everything: bool, config_path: Path | None, as_json: bool) -> None:
    """Put back, and say what could not be."""
    config = configuration.load(configuration.locate(config_path, os.environ), os.environ)
    place = (dataset or config.dataset_path).absolute()
    with open_audit(config).recorded(audit.command(), "undo") as counts:
        result = quarantine.undo(place, everything=everything)
        counts["images"] = len(result.back)
    left = quarantine.lying(place)
    if as_json:
        names = {"back": result.back, "taken": result.taken, "gone": result.gone}
        values = {key: [str(place / path) for path in paths] for key, paths in names.items()}
        click.echo(json.dumps({**values, "left": [str(place / one.place) for one in left]}, indent=2))
        return
    lines = [f"back: {place / path}" for path in result.back]
    lines += [f"not put back, since another file is there: {place / path}" for path in result.taken]
    lines += [f"is neither there nor in quarantine any more: {place / path}" for path in result.gone]
    lines.append(f"{place}: {len(result.back)} photos put back, {len(left)} in quarantine")
    if result.back:
        lines.append("next: face-det encode, then face-det train")
    click.echo("\n".join(map(gallery_report.printable, lines)))


def _checked(dataset: Path, config: Config, jobs: int) -> tuple[list[Photo], list[Finding]]:
    """The photos of the dataset and what is found; encodings and facts come from caches where they can."""
    listed = [(name, path) for name, paths in enrol.photos(dataset).items() for path in paths]
    if not listed:
        raise DataError(f"{dataset}: must hold a folder of photos for each person, got none")
    encodings = config.encodings_path.absolute()
    if dataset != config.dataset_path.absolute():
        encodings = (
            dataset / ".encodings.pickle"
        )  # another dataset must not drive this one's out of the caches
    options = enrolment_options(config)
    engine = engines.build(options)
    with progress.shown() as tell, Cache(cache_path(encodings)) as cache:
        report = encode.encode_dataset(
            dataset, cache, options, jobs=jobs, on_progress=progress.of("encoding", tell), engine=engine
        )
        omissions = {one.path: one.reason for one in report.left_out}
        hashes = {path: _hash(path) for _, path in listed}
        wanted = {
            hashes[path]: path
            for _, path in listed
            if omissions.get(path) is not Omission.BAD_IMAGE and hashes[path]
        }
        facts = check_facts.facts_of(
            wanted, engine, check_facts.facts_path(encodings), progress.of("looking", tell)
        )
    photos = [
        Photo(name, path, hashes[path], omissions.get(path), facts.get(hashes[path])) for name, path in listed
    ]
    if tuple(photo.name for photo in photos if photo.omission is None) != tuple(report.gallery.names):
        raise TryAgain(f"{dataset}: was changed while it was checked; try again")
    # Both networks know more than one.
    embedder = BOTH if BOTH in report.gallery.embedders else DLIB
    rows = report.gallery.of(embedder)
    return photos, check.check(
        photos, rows, embedder=embedder, even_distance=GEOMETRY[embedder].even_distance
    )


def _hash(path: Path) -> str:
    try:
        return read_photo(path)[0]
    except DataError:
        return ""


def _chosen(found: Sequence[Finding], *, by_default: bool, sure: float) -> dict[Path, Finding]:
    """Photos to put aside, each with the first finding about it."""
    chosen: dict[Path, Finding] = {}
    for finding in found:
        if finding.path is not None and finding.sure >= sure and (not by_default or finding.kind in KINDS):
            chosen.setdefault(finding.path, finding)
    return chosen
