"""The command `face-det encode`: encodes photos into encodings.pickle."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from face_det.cli import progress, terminal
from face_det.cli.shared_options import ConfigSource, EmbedderChoice, MenuChoice, config_option
from face_det.config import list_choices
from face_det.detectors import DETECTORS
from face_det.engine import EngineOptions
from face_det.enrolment import update_encodings
from face_det.gallery import EncodeReport, OmissionReason, OverlookedReason
from face_det.rpc import command_caller
from face_det.service import build_enrolment_options, open_audit_log, warn_of_names
from face_det.storage import explain_way_back

ADVICE = {
    OmissionReason.NO_FACE: "no face detected",
    OmissionReason.SEVERAL_FACES: "several faces, none clearly the main one; crop it to one person",
    OmissionReason.BAD_IMAGE: "cannot be read as an image",
    OmissionReason.TOO_SMALL: "the face is smaller than minFace",
    OmissionReason.TOO_LARGE: "more than 100 megapixels; save it smaller",
    OmissionReason.NO_DECODER: "HEIC: pip install 'face_det[heic]', or save it as JPEG",
}


@dataclass(slots=True)
class _Progress:
    done: int = 0
    total: int = 0


@click.command(help="Encode the photos in dataset/NAME/. Only new or changed photos are processed.")
@click.option(
    "-i", "--dataset", type=click.Path(path_type=Path), help="Folder of photos; default: datasetPath."
)
@click.option(
    "-e", "--encodings", type=click.Path(path_type=Path), help="File to write; default: encodingsPath."
)
@click.option(
    "-d",
    "--detection-method",
    type=MenuChoice(DETECTORS),
    help="Detector, or onnx:PATH; default: faceDetModel.",
)
@click.option(
    "--embedder",
    type=EmbedderChoice(list_choices("embedder")),
    help="With dlib_resnet, compute only its encodings; otherwise also sface's. Default: embedder.",
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Number of processes; default: one per core.")
@click.option(
    "--jitters", type=click.IntRange(1, 10_000), help="Variations of each face; default: numJitters."
)
@click.option(
    "--upsample", type=click.IntRange(0, 4), help="Doublings before detection; default: numFaceImgUpsample."
)
@config_option
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
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run the command."""
    config = config_source.load()
    options = build_enrolment_options(config, embedder)
    options = replace(
        options,
        detector=detection_method or options.detector,
        jitters=jitters or options.jitters,
        upsample=options.upsample if upsample is None else upsample,
    )
    dataset = (dataset or config.dataset_path).absolute()
    target = (encodings or config.encodings_path).absolute()
    count, before = _Progress(), _identify(target)
    try:
        with open_audit_log(config.audit_path, target).recorded(command_caller(), "encode") as counts:
            report = _encode(dataset, target, options, jobs or len(os.sched_getaffinity(0)), count)
            counts |= {"encoded": report.encoded, "reused": report.reused}
    except KeyboardInterrupt:
        written = _identify(target) != before
        click.echo(f"face-det: {_describe_interruption(count, target, written)}", err=True)
        context.exit(130)
    click.echo(
        json.dumps(scan_as_json(report, target), indent=2) if as_json else format_report(report, target)
    )
    if not config.ascii_names and (warning := warn_of_names(report.gallery.people)):
        click.echo(f"face-det: {warning}", err=True)


def _encode(dataset: Path, target: Path, options: EngineOptions, jobs: int, count: _Progress) -> EncodeReport:
    with progress.show_progress() as show:

        def on_progress(done: int, total: int) -> None:
            count.done, count.total = done, total
            show("encoding", done, total)

        update = update_encodings(dataset, target, options, jobs=jobs, on_progress=on_progress)
    if update.lost_people:
        names = ", ".join(update.lost_people)
        click.echo(f"no longer in {target}, because they have no photo in {dataset}: {names}", err=True)
    if update.copy is not None:
        click.echo(
            f"kept: {update.copy}: the original program's file; {explain_way_back(update.copy)}", err=True
        )
    return update.report


def _identify(path: Path) -> tuple[int, int] | None:
    """Return what differs once a file has been replaced; None if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _describe_interruption(count: _Progress, target: Path, written: bool) -> str:
    if written:
        return f"interrupted when all was done; {target} is complete"
    if not count.done:
        return f"interrupted before the first photo was encoded; {target} is unchanged"
    return (
        f"interrupted after {count.done} of {count.total} photos, which are kept for the next run; "
        f"{target} is unchanged"
    )


def format_report(report: EncodeReport, target: Path) -> str:
    """Format the report as a table, with a line for each photo that was left out."""
    head = ("person", "encoded", "reused", "left out")
    rows = [(tally.name, *map(str, (tally.encoded, tally.reused, tally.left_out))) for tally in report.people]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, len(head)))])
        for row in (head, *rows)
    ]
    left_out = [(item.path, item.reason.value, ADVICE[item.reason]) for item in report.left_out]
    left_out += [
        (item.path, item.reason.value, item.todo)
        for item in report.overlooked
        if item.reason is not OverlookedReason.NOT_A_PICTURE
    ]
    lines += [
        f"left out: {terminal.make_printable(str(path))}: {reason} ({todo})"
        for path, reason, todo in left_out
    ]
    recordings, others = _sort_others(report)
    if recordings:
        found = terminal.list_files(recordings)
        lines.append(f"recordings: {found}; they are for face-det voice encode")
    if others:
        lines.append(terminal.summarize_others(others))
    lines += [f"main face of several: {terminal.make_printable(str(path))}" for path in report.main_faces]
    used = len(report.gallery.names)
    encodings, people = terminal.count_of(used, "encoding"), len(report.gallery.people)
    lines.append(f"{target}: {encodings} of {terminal.count_of(people, 'person')}")
    return "\n".join(lines)


def _sort_others(report: EncodeReport) -> tuple[list[Path], list[Path]]:
    """Return the recordings, and the other files that are not pictures."""
    from face_det.gallery import is_recording

    recordings: list[Path] = []
    others: list[Path] = []
    for item in report.overlooked:
        if item.reason is OverlookedReason.NOT_A_PICTURE:
            (recordings if is_recording(item.path) else others).append(item.path)
    return recordings, others


def scan_as_json(report: EncodeReport, target: Path) -> dict[str, Any]:
    """Return the report as JSON values."""
    recordings, others = _sort_others(report)
    return {
        "encodings": str(target),
        "encoded": report.encoded,
        "reused": report.reused,
        "people": [
            {"name": tally.name, "encoded": tally.encoded, "reused": tally.reused, "leftOut": tally.left_out}
            for tally in report.people
        ],
        "leftOut": [
            {"path": str(item.path), "name": item.name, "reason": item.reason.value} for item in report.unused
        ],
        "recordings": [str(path) for path in recordings],
        "notPictures": [str(path) for path in others],
        "mainFaces": [str(path) for path in report.main_faces],
    }
