"""`face-det encode`: photos of people -> encodings.pickle, and what was left out and why."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from face_det import config as configuration
from face_det.doors import progress
from face_det.doors.assemble import enrolment_options
from face_det.doors.caller import open_audit
from face_det.engine import EngineOptions
from face_det.errors import DataError
from face_det.identity import atomic, audit, encode, enrol, safeguards, storage
from face_det.identity.cache import Cache, Omission, cache_path
from face_det.identity.encode import EncodeReport
from face_det.registry import DETECTORS
from face_det.settings import MENUS

ADVICE = {
    Omission.NO_FACE: "the detector sees no face",
    Omission.SEVERAL_FACES: "more than one face; crop it to one person",
    Omission.BAD_IMAGE: "cannot be read as a picture",
    Omission.TOO_SMALL: "its face is smaller than minFace",
}


@dataclass(slots=True)
class _Count:
    done: int = 0
    total: int = 0


@click.command(help="Encode dataset/NAME/*.jpg; only photos that are new or changed are looked at.")
@click.option("-i", "--dataset", type=click.Path(path_type=Path), help="Photos; default: datasetPath.")
@click.option("-e", "--encodings", type=click.Path(path_type=Path), help="To write; default: encodingsPath.")
@click.option(
    "-d", "--detection-method", type=click.Choice(sorted(DETECTORS)), help="Detector; default: faceDetModel."
)
@click.option(
    "--embedder",
    type=click.Choice([*MENUS["embedder"]]),
    help="dlib_resnet: its encodings only, else sface's too; default: embedder.",
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes; default: one a core.")
@click.option("--jitters", type=click.IntRange(1, 10_000), help="Re-samples a face; default: numJitters.")
@click.option(
    "--upsample", type=click.IntRange(0, 4), help="Doublings before detection; default: numFaceImgUpsample."
)
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="config.json to use.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def command(
    context: click.Context,
    dataset: Path | None,
    encodings: Path | None,
    detection_method: str | None,
    embedder: str | None,
    jobs: int | None,
    jitters: int | None,
    upsample: int | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Entry point of the command."""
    config = configuration.load(configuration.locate(config_path, os.environ), os.environ)
    options = enrolment_options(config, embedder)
    options = replace(
        options,
        detector=detection_method or options.detector,
        jitters=jitters or options.jitters,
        upsample=options.upsample if upsample is None else upsample,
    )
    dataset = (dataset or config.dataset_path).absolute()
    target = (encodings or config.encodings_path).absolute()
    count = _Count()
    try:
        with open_audit(config, target).recorded(audit.command(), "encode") as counts:
            report = _encode(dataset, target, options, jobs or len(os.sched_getaffinity(0)), count)
            counts |= {"encoded": report.encoded, "reused": report.reused}
    except KeyboardInterrupt:
        click.echo(
            f"face-det: interrupted after {count.done} of {count.total} photos, which are kept for the "
            f"next run, {target} is as it was",
            err=True,
        )
        context.exit(130)
    click.echo(json.dumps(values(report, target), indent=2) if as_json else text(report, target))


def _encode(dataset: Path, target: Path, options: EngineOptions, jobs: int, count: _Count) -> EncodeReport:
    """Encode and write; DataError, and nothing written, if no photo can be used."""
    if not dataset.is_dir():
        raise DataError(f"{dataset}: must be a folder with a folder of photos for each person, is not there")
    with atomic.reporting(target.parent, "it must be a folder to write to"):
        atomic.make_folder(target.parent)
    with Cache(cache_path(target)) as cache, progress.shown() as tell:

        def on_progress(done: int, total: int) -> None:
            count.done, count.total = done, total
            tell("encoding", done, total)

        before = _state(dataset)
        report = encode.encode_dataset(dataset, cache, options, jobs=jobs, on_progress=on_progress)
        with storage.locked(target):
            if _state(dataset) != before:
                # Photos were enrolled or removed while this ran: once more, with the cache in seconds.
                report = encode.encode_dataset(dataset, cache, options, jobs=jobs, on_progress=on_progress)
            if not report.gallery.names:
                raise DataError(_nothing(dataset, target, report))
            gone = safeguards.gone(report.gallery.people, target)
            if gone:
                click.echo(
                    f"no longer in {target}, without a photo in {dataset}: {', '.join(gone)}", err=True
                )
            storage.write_atomically(target, report.gallery.dumps())
    return report


def _state(dataset: Path) -> list[tuple[Path, int, int]]:
    """What tells one state of a dataset from another, without reading the photos."""
    paths = [path for paths in enrol.photos(dataset).values() for path in paths]
    return [(path, path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths if path.exists()]


def _nothing(dataset: Path, target: Path, report: EncodeReport) -> str:
    kept = f"; {target} is as it was" if target.exists() else ""
    if not report.left_out:
        return f"{dataset}: must hold a folder of photos for each person, got none{kept}"
    reasons = ", ".join(f"{item.path.name}: {item.reason.value}" for item in report.left_out[:3])
    more = ", ..." if len(report.left_out) > 3 else ""
    return (
        f"{dataset}: must hold photos of one face each, got not one that can be used ({reasons}{more}){kept}"
    )


def text(report: EncodeReport, target: Path) -> str:
    """The report as a table, and a line for each photo that was left out."""
    head = ("person", "encoded", "reused", "left out")
    rows = [(tally.name, *map(str, (tally.encoded, tally.reused, tally.left_out))) for tally in report.people]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, len(head)))])
        for row in (head, *rows)
    ]
    lines += [
        f"left out: {item.path}: {item.reason.value} ({ADVICE[item.reason]})" for item in report.left_out
    ]
    used = len(report.gallery.names)
    lines.append(f"{target}: {used} encodings of {len(report.gallery.people)} people")
    return "\n".join(lines)


def values(report: EncodeReport, target: Path) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "encodings": str(target),
        "encoded": report.encoded,
        "reused": report.reused,
        "people": [
            {"name": tally.name, "encoded": tally.encoded, "reused": tally.reused, "leftOut": tally.left_out}
            for tally in report.people
        ],
        "leftOut": [
            {"path": str(item.path), "name": item.name, "reason": item.reason.value}
            for item in report.left_out
        ],
    }
