"""`face-det gallery`: check the photos of the dataset, quarantine bad ones, and put them back."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import click

from face_det.cli import gallery_report
from face_det.cli.progress import show_progress
from face_det.cli.shared_options import ConfigSource, config_option
from face_det.cli.terminal import make_printable
from face_det.config import Config
from face_det.engine import build_engine
from face_det.errors import CannotWrite, DataError
from face_det.gallery import (
    QUARANTINED_FROM,
    DatasetCheck,
    FailedMove,
    Finding,
    FindingKind,
    QuarantineResult,
    RestoreResult,
    check_dataset,
    list_quarantined,
    plan_quarantine,
    quarantine_photos,
    require_photos,
    restore_photos,
    select_findings,
)
from face_det.rpc import command_caller
from face_det.service import build_enrolment_options, open_audit_log

_DATASET = click.option(
    "-i", "--dataset", type=click.Path(path_type=Path), help="Photos; default: datasetPath."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


@click.group(help="Check the photos of the dataset. Nothing is ever deleted.")
def command() -> None:
    """Group the subcommands."""


@command.command(
    "check",
    help="Find misplaced, duplicate and poor photos, people who look alike, and people with too few photos.",
)
@_DATASET
@click.option(
    "-k",
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in FindingKind]),
    help="Show only findings of this kind; may be repeated.",
)
@click.option(
    "--sure",
    type=click.FloatRange(0.0, 1.0),
    help="Show only findings that are at least this sure. With neither this nor --kind, photos are "
    f"quarantined from {QUARANTINED_FROM:g} on.",
)
@click.option(
    "--quarantine",
    "quarantine",
    is_flag=True,
    help="Move photos into .quarantine/ in the dataset: misplaced and unreadable photos, and further copies "
    "of a file; with --kind, photos of these kinds. `gallery undo` puts them back.",
)
@click.option("--dry-run", is_flag=True, help="With --quarantine: only show what would be moved.")
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Processes for encoding; default: one per core."
)
@config_option
@_JSON
def check_command(
    dataset: Path | None,
    kinds: tuple[str, ...],
    sure: float | None,
    quarantine: bool,
    dry_run: bool,
    jobs: int | None,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Check, print the findings, and quarantine photos; raise CannotWrite last if some could not be moved."""
    if dry_run and not quarantine:
        raise click.UsageError("--dry-run needs --quarantine.")
    config = config_source.load()
    place = (dataset or config.dataset_path).absolute()
    checked = _check(place, config, jobs or len(os.sched_getaffinity(0)))
    photos, found = checked.photos, select_findings(checked.findings, kinds, sure)
    plan = plan_quarantine(photos, found, kinds, sure)
    if not as_json:
        click.echo(gallery_report.format_findings(place, photos, found))
    moved: list[Path] = []
    failed: tuple[FailedMove, ...] = ()
    if quarantine and not dry_run:
        done = _quarantine(place, config, plan.chosen)
        moved, failed = [place / one.source for one in done.moved], done.failed
    elif quarantine:
        moved = list(plan.chosen)
    left = {path: f"{path}: {link} is a link to it" for path, link in plan.linked.items()}
    left |= {place / one.source: str(one.error) for one in failed}
    if as_json:
        report = gallery_report.findings_as_json(
            place, photos, found, moved, left if quarantine else {}, dry_run
        )
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo(
            gallery_report.format_quarantine(
                place, moved, plan.chosen, left, quarantine=quarantine, dry_run=dry_run
            )
        )
    _raise_failures(failed)


@command.command("undo", help="Put the photos of the last quarantine back where they were.")
@_DATASET
@click.option("--all", "everything", is_flag=True, help="Put back the photos of every quarantine.")
@config_option
@_JSON
def undo_command(dataset: Path | None, everything: bool, config_source: ConfigSource, as_json: bool) -> None:
    """Put photos back, print the result, and raise CannotWrite last if some could not be moved."""
    config = config_source.load()
    place = (dataset or config.dataset_path).absolute()
    if not place.is_dir():
        raise DataError(f"{place}: must be a folder with a folder of photos for each person, not found")
    with open_audit_log(config.audit_path, config.encodings_path).recorded(
        command_caller(), "undo"
    ) as counts:
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
    lines += [f"not put back, because another file is there: {place / path}" for path in result.taken]
    lines += [
        f"gone from the quarantine and not in the dataset either: {place / path}" for path in result.gone
    ]
    lines += [f"not put back: {one.error}" for one in result.failed]
    lines.append(f"{place}: {len(result.back)} photos put back, {left} in quarantine")
    if result.back:
        lines.append("next: face-det encode, then face-det train")
    return "\n".join(map(make_printable, lines))


def _check(dataset: Path, config: Config, jobs: int) -> DatasetCheck:
    """Check a dataset. One that is not the configured one must not push its photos out of the caches."""
    configured = dataset == config.dataset_path.absolute()
    encodings = config.encodings_path.absolute() if configured else None
    require_photos(dataset)  # before the networks are loaded
    engine = build_engine(build_enrolment_options(config))
    with show_progress() as on_progress:
        return check_dataset(dataset, engine, encodings, jobs=jobs, on_progress=on_progress)


def _quarantine(place: Path, config: Config, chosen: dict[Path, Finding]) -> QuarantineResult:
    with open_audit_log(config.audit_path, config.encodings_path).recorded(
        command_caller(), "quarantine"
    ) as counts:
        reasons = [(path, f"{one.kind.value}: {one.what}") for path, one in chosen.items()]
        done = quarantine_photos(place, reasons)
        counts["images"] = len(done.moved)
    return done


def _raise_failures(failed: Sequence[FailedMove]) -> None:
    """Raise an error for the exit code; each failure has been printed already."""
    if len(failed) == 1:
        raise failed[0].error
    if failed:
        raise CannotWrite(f"{len(failed)} photos could not be moved; the first: {failed[0].error}")
