"""`face-det gallery`: check the photos of the dataset, put bad ones aside, and back."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from face_det.cli import gallery_report, progress
from face_det.cli.connect import ConfigSource, config_option
from face_det.cli.terminal import make_printable
from face_det.config import Config
from face_det.embedders import DISTANCE_THRESHOLDS, DLIB_AND_SFACE, DLIB_RESNET
from face_det.engine import build_engine
from face_det.errors import CannotWrite, DataError, TryAgain
from face_det.gallery import (
    QUARANTINED_FROM,
    CheckedPhoto,
    EncodingCache,
    FailedMove,
    Finding,
    FindingKind,
    OmissionReason,
    QuarantineResult,
    RestoreResult,
    choose_for_quarantine,
    collect_facts,
    encode_dataset,
    encoding_cache_path,
    facts_path,
    find_link_targets,
    find_problems,
    list_photos,
    list_quarantined,
    quarantine_photos,
    read_photo,
    restore_photos,
)
from face_det.rpc import command_caller
from face_det.service import build_enrolment_options, open_audit_log

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
    type=click.Choice([kind.value for kind in FindingKind]),
    help="Only findings of this kind; may be repeated.",
)
@click.option(
    "--sure",
    type=click.FloatRange(0.0, 1.0),
    help="Only findings that are as sure; what is put aside without --kind must be "
    f"{QUARANTINED_FROM:g} sure.",
)
@click.option(
    "--quarantine",
    "aside",
    is_flag=True,
    help="Put photos aside, into .quarantine/ in the dataset: misplaced and unreadable photos, second "
    "copies of a file; with --kind, those of these kinds. `gallery undo` puts them back.",
)
@click.option("--dry-run", is_flag=True, help="With --quarantine: only say what would be put aside.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes that encode; default: one a core.")
@config_option
@_JSON
def check_command(
    dataset: Path | None,
    kinds: tuple[str, ...],
    sure: float | None,
    aside: bool,
    dry_run: bool,
    jobs: int | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Check, print, and put aside what is asked for; CannotWrite at the end for what could not be."""
    if dry_run and not aside:
        raise click.UsageError("--dry-run needs --quarantine.")
    config = config_source.load()
    place = (dataset or config.dataset_path).absolute()
    photos, found = _checked(place, config, jobs or len(os.sched_getaffinity(0)))
    found = [one for one in found if (not kinds or one.kind.value in kinds) and one.sure >= (sure or 0.0)]
    limit = QUARANTINED_FROM if sure is None and not kinds else (sure or 0.0)
    chosen = choose_for_quarantine(found, by_default=not kinds, sure=limit)
    linked = find_link_targets(photos, chosen)
    chosen = {path: one for path, one in chosen.items() if path not in linked}
    if not as_json:
        click.echo(gallery_report.format_findings(place, photos, found))
    moved: list[Path] = []
    failed: tuple[FailedMove, ...] = ()
    if aside and not dry_run:
        done = _put_aside(place, config, chosen)
        moved, failed = [place / one.source for one in done.moved], done.failed
    elif aside:
        moved = list(chosen)
    left = {path: f"{path}: {link} is a link to it" for path, link in linked.items()}
    left |= {place / one.source: str(one.error) for one in failed}
    if as_json:
        report = gallery_report.findings_as_json(place, photos, found, moved, left if aside else {}, dry_run)
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(gallery_report.format_quarantine(place, moved, chosen, left, aside=aside, dry_run=dry_run))
    _raise_failures(failed)


@command.command("undo", help="Put the photos of the last quarantine back to where they were.")
@_DATASET
@click.option("--all", "everything", is_flag=True, help="Of every quarantine.")
@config_option
@_JSON
def undo_command(dataset: Path | None, everything: bool, config_source: ConfigSource, as_json: bool) -> None:
    """Put back, and say what could not be; CannotWrite at the end if the system refused."""
    config = config_source.load()
    place = (dataset or config.dataset_path).absolute()
    if not place.is_dir():
        raise DataError(f"{place}: must be a folder with a folder of photos for each person, is not there")
    with open_audit_log(config).recorded(command_caller(), "undo") as counts:
        result = restore_photos(place, everything=everything)
        counts["images"] = len(result.back)
    left = list_quarantined(place)
    if as_json:
        names = {"back": result.back, "taken": result.taken, "gone": result.gone}
        values: dict[str, object] = {
            key: [str(place / path) for path in paths] for key, paths in names.items()
        }
        failed = [{"path": str(place / one.source), "why": str(one.error)} for one in result.failed]
        values = {**values, "failed": failed, "left": [str(place / one.place) for one in left]}
        click.echo(json.dumps(values, indent=2))
    else:
        click.echo(_format_undo(place, result, len(left)))
    _raise_failures(result.failed)


def _format_undo(place: Path, result: RestoreResult, left: int) -> str:
    lines = [f"back: {place / path}" for path in result.back]
    lines += [f"not put back, since another file is there: {place / path}" for path in result.taken]
    lines += [f"is neither there nor in quarantine any more: {place / path}" for path in result.gone]
    lines += [f"not put back: {one.error}" for one in result.failed]
    lines.append(f"{place}: {len(result.back)} photos put back, {left} in quarantine")
    if result.back:
        lines.append("next: face-det encode, then face-det train")
    return "\n".join(map(make_printable, lines))


def _put_aside(place: Path, config: Config, chosen: dict[Path, Finding]) -> QuarantineResult:
    with open_audit_log(config).recorded(command_caller(), "quarantine") as counts:
        reasons = [(path, f"{one.kind.value}: {one.what}") for path, one in chosen.items()]
        done = quarantine_photos(place, reasons)
        counts["images"] = len(done.moved)
    return done


def _raise_failures(failed: Sequence[FailedMove]) -> None:
    """For the exit code: each has been told of by now."""
    if len(failed) == 1:
        raise failed[0].error
    if failed:
        raise CannotWrite(f"{len(failed)} photos could not be moved; the first: {failed[0].error}")


def _checked(dataset: Path, config: Config, jobs: int) -> tuple[list[CheckedPhoto], list[Finding]]:
    """The photos of the dataset and what is found; encodings and facts come from caches where they can."""
    listed = [(name, path) for name, paths in list_photos(dataset).items() for path in paths]
    if not listed:
        raise DataError(f"{dataset}: must hold a folder of photos for each person, got none")
    encodings = config.encodings_path.absolute()
    if dataset != config.dataset_path.absolute():
        # Another dataset must not drive this one's out of the caches.
        encodings = dataset / ".encodings.pickle"
    options = build_enrolment_options(config)
    engine = build_engine(options)
    with progress.show_progress() as tell, EncodingCache(encoding_cache_path(encodings)) as cache:
        report = encode_dataset(
            dataset,
            cache,
            options,
            jobs=jobs,
            on_progress=progress.progress_for("encoding", tell),
            engine=engine,
        )
        omissions = {one.path: one.reason for one in report.left_out}
        read = {path: _read(path) for _, path in listed}
        hashes = {path: sha256 for path, (sha256, _) in read.items()}
        wanted = {
            hashes[path]: path
            for _, path in listed
            if omissions.get(path) is not OmissionReason.BAD_IMAGE and hashes[path]
        }
        facts = collect_facts(wanted, engine, facts_path(encodings), progress.progress_for("looking", tell))
    photos = [
        CheckedPhoto(name, path, sha256, omissions.get(path), facts.get(sha256), closed, path.is_symlink())
        for name, path in listed
        for sha256, closed in [read[path]]
    ]
    if tuple(photo.name for photo in photos if photo.omission is None) != tuple(report.gallery.names):
        raise TryAgain(f"{dataset}: was changed while it was checked; try again")
    # Both networks know more than one.
    embedder = DLIB_AND_SFACE if DLIB_AND_SFACE in report.gallery.embedders else DLIB_RESNET
    rows = report.gallery.of(embedder)
    return photos, find_problems(
        photos, rows, embedder=embedder, even_distance=DISTANCE_THRESHOLDS[embedder].even_distance
    )


def _read(path: Path) -> tuple[str, str | None]:
    """A photo's sha256, "" if it has none, and why its file cannot be opened, if that is so."""
    try:
        return read_photo(path)[0], None
    except DataError as error:
        if isinstance(error.__cause__, OSError):
            return "", error.__cause__.strerror
        return "", None if path.exists() else os.strerror(errno.ENOENT)
