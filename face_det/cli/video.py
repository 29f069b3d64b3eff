"""The command `face-det video`: says who is in videos, and when."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from face_det.cli import terminal
from face_det.cli.interruption import Interruption
from face_det.cli.progress import FrameProgress, show_frames
from face_det.cli.shared_options import ConfigSource, config_option
from face_det.cli.timeline_page import render_video_page
from face_det.cli.times import format_video_time
from face_det.config import VideoSettings
from face_det.errors import CannotWrite, DataError, ModelMissing, VideoError
from face_det.storage import make_folder, report_write_errors, write_atomically

if TYPE_CHECKING:
    from face_det.service import ScanLimits, Service, VideoReport
    from face_det.tracking import TrackingOptions

FACE_PX = 240
"""The longest side of people's pictures."""

KNOBS = {
    "each_frame": ("--each-frame", ("EACH_FRAME",), "Look only at every n-th frame."),
    "min_frames": ("--min-frames", ("MIN_FRAMES",), "Look at each of so many frames at the start."),
    "max_frames": ("--max-frames", ("MAX_FRAMES",), "Stop after so many frames; 0: never."),
    "stop_after_empty_frames": (
        "--stop-after-empty-frames",
        ("STOP_AFTER_EMPTY_FRAMES",),
        "Stop when somebody was seen, and then nobody in so many frames; 0: never.",
    ),
    "min_thumbnail_size_in_px": (
        "--min-thumbnail-size-in-px",
        ("MIN_THUMBNAIL_SIZE_IN_PX", "MIN_TRUMBNAIL_SIZE_IN_PX"),
        "Leave strangers out whose faces are all smaller.",
    ),
    "parallelism": ("--parallelism", ("PARALLELISM",), "Threads of each network; 0: one per processor."),
}
"""Ringface's settings: the key within `video`, our option, its names in the environment, and the help."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How videos are looked at, and what is written beside the table."""

    settings: VideoSettings
    limits: ScanLimits
    tracking: TrackingOptions
    max_pixels: int
    verify_tls: bool
    annotate: Path | None
    faces: Path | None


@dataclass(slots=True)
class _Outcome:
    """What came of one source: a report, or why there is none; and what could not be written."""

    source: str
    report: VideoReport | None = None
    error: str | None = None
    unwritten: CannotWrite | None = None
    pictures: dict[str, list[Path]] | None = None


def _knob_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, (option, variables, text) in reversed(KNOBS.items()):
        spelt = [option, option.replace("thumbnail", "trumbnail")] if "thumbnail" in option else [option]
        command = click.option(
            *spelt, name, type=click.IntRange(min=0), envvar=list(variables), help=text, metavar="N"
        )(command)
    return command


@click.command(
    help="Say who is in videos, and when. A source is a video file, a folder of pictures, or a stream's "
    "address (rtsp, rtsps, http, https). Everything is looked at by default. Ctrl-C stops, and prints what "
    "was found so far. Exit code 65 if a video cannot be read; the others are looked at all the same."
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page with everybody's best picture and when they were seen.",
)
@click.option(
    "--annotate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.webm",
    help="Write the video with boxes and names; of one source.",
)
@click.option(
    "--faces",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write everybody's best pictures to this folder.",
)
@click.option("--exhaustive", is_flag=True, help="Search every frame for faces. It is slower.")
@click.option(
    "--verify-tls/--no-verify-tls",
    default=True,
    help="Check the certificate of an rtsps or https stream, or accept any, even a self-signed one. "
    "SSL_CERT_FILE may name a file with the authorities to trust.",
    show_default=True,
)
@_knob_options
def command(
    sources: tuple[str, ...],
    config_source: ConfigSource,
    as_json: bool,
    page: Path | None,
    annotate: Path | None,
    faces: Path | None,
    exhaustive: bool,
    verify_tls: bool,
    **knobs: int | None,
) -> None:
    """Run the command."""
    if annotate is not None and len(sources) > 1:
        raise click.UsageError("--annotate takes one video at a time.")
    if annotate is not None and annotate.suffix.lower() != ".webm":
        raise click.UsageError(f"--annotate writes .webm, which browsers play; got {annotate.suffix!r}.")
    config = config_source.load()
    settings = config.video.model_copy(update={key: n for key, n in knobs.items() if n is not None})
    if settings.each_frame < 1:
        raise click.UsageError("--each-frame must be at least 1.")
    threads = settings.parallelism or os.cpu_count() or 1
    _prepare_for(sources[0])
    # Networks take a second to load, so load them only where they are used.
    from face_det.service import ScanLimits, build_service
    from face_det.tracking import TrackingOptions

    service = build_service(config.model_copy(update={"threads": threads}))
    limits = ScanLimits(
        settings.each_frame,
        settings.min_frames,
        settings.max_frames,
        settings.stop_after_empty_frames,
        settings.min_thumbnail_size_in_px,
    )
    options = TrackingOptions(exhaustive=exhaustive, thumbnail_px=FACE_PX)
    wanted = _Wanted(settings, limits, options, config.max_pixels, verify_tls, annotate, faces)
    with Interruption() as interruption, show_frames() as progress:
        outcomes = []
        for source, *later in (sources[at:] for at in range(len(sources))):
            outcomes.append(_look_at(source, service, wanted, interruption, progress, later))
            if interruption.asked:
                break
    _print_outcomes(outcomes, as_json)
    if page is not None:
        shown = [(one.source, one.report) for one in outcomes if one.report is not None]
        write_atomically(page, render_video_page(shown).encode())
        click.echo(f"the page is {page}", err=True)
    _raise_what_failed(outcomes, interrupted=interruption.asked, trained=service.trained)


def _prepare_for(source: str) -> None:
    """Start the process that decodes a source while something else is done, unless it needs none."""
    from face_det.video import prepare_decoding

    if not Path(source).is_dir():
        prepare_decoding()


def _look_at(
    source: str,
    service: Service,
    wanted: _Wanted,
    interruption: Interruption,
    progress: FrameProgress,
    later: Sequence[str],
) -> _Outcome:
    """Look at one source, with others `later`; nothing that is wrong with it stops those."""
    from face_det.cli.annotated_video import AnnotatedVideo
    from face_det.service import VideoScan
    from face_det.video import open_video

    outcome = _Outcome(source)
    scan = VideoScan(service.access.recognizer, wanted.tracking, wanted.limits)
    try:
        reader = open_video(
            source,
            every=wanted.settings.each_frame,
            dense=wanted.settings.min_frames,
            max_pixels=wanted.max_pixels,
            verify_tls=wanted.verify_tls,
        )
    except VideoError as error:
        outcome.error = str(error)
        return outcome
    if later:
        _prepare_for(later[0])
    with reader:
        film = None
        if wanted.annotate is not None:
            film = AnnotatedVideo(wanted.annotate, reader.info, wanted.settings.each_frame)
        try:
            for frame in interruption.until(reader):
                tracked = scan.step(frame)
                if film is not None and outcome.unwritten is None:
                    with _noting_write_errors(outcome):
                        film.add(frame, tracked)
                progress(Path(source).name, frame.index + 1, reader.info.frames)
                if scan.enough is not None:
                    break
        finally:
            if film is not None:
                with _noting_write_errors(outcome):
                    film.close()
        problem = "interrupted; the rest was not looked at" if interruption.asked else reader.problem
        outcome.report = scan.report(reader.info, problem)
    if wanted.faces is not None:
        outcome.pictures = _save_faces(outcome.report, wanted.faces, Path(source).stem)
    return outcome


@contextmanager
def _noting_write_errors(outcome: _Outcome) -> Iterator[None]:
    """Note why the video cannot be written, which is raised when all else is done."""
    try:
        yield
    except CannotWrite as error:
        outcome.unwritten = outcome.unwritten or error


def _save_faces(report: VideoReport, folder: Path, stem: str) -> dict[str, list[Path]]:
    """Write the best picture of each track; return the files by label."""
    with report_write_errors(folder, "it must be a writable folder"):
        make_folder(folder)
    files: dict[str, list[Path]] = {}
    for number, person in enumerate(report.people, 1):
        for track in person.tracks:
            if track.best.thumbnail is not None:
                path = folder / f"{stem}-{number}-{track.number}.jpg"
                write_atomically(path, track.best.thumbnail)
                files.setdefault(person.label, []).append(path)
    return files


def _print_outcomes(outcomes: Sequence[_Outcome], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in outcomes], indent=2, default=_in_base64))
    elif any(one.report is not None and one.report.people for one in outcomes):
        terminal.make_console().print(_table(outcomes))
    for one in outcomes:
        name = terminal.make_printable(one.source)
        if one.report is None:
            click.echo(f"face-det: {terminal.make_printable(one.error or '')}", err=True)
            continue
        seen = terminal.count_of(len(one.report.people), "person")
        until = format_video_time(one.report.until_s)
        looked = terminal.count_of(one.report.looked_at, "frame")
        click.echo(f"{name}: {seen}, in {looked} up to {until}", err=True)
        if one.report.unclear:
            faces = terminal.count_of(one.report.unclear, "more face")
            click.echo(f"{name}: {faces} never seen clearly enough to tell whose", err=True)
        if one.report.note is not None:
            click.echo(f"{name}: {terminal.make_printable(one.report.note)}", err=True)


def _as_json(outcome: _Outcome) -> dict[str, Any]:
    from face_det.service import scan_as_json

    if outcome.report is not None:
        return scan_as_json(outcome.report, outcome.source, image_paths=outcome.pictures)
    nobody: dict[str, Any] = {"people": [], "recognisedPersons": [], "unknownPersons": []}
    return {"videoFile": outcome.source, "eventName": None, "error": outcome.error, **nobody}


def _in_base64(picture: bytes) -> str:
    """Return a picture as JSON can hold it."""
    return base64.b64encode(picture).decode()


def _table(outcomes: Sequence[_Outcome]) -> Table:
    several = len(outcomes) > 1
    table = Table()
    for head in (
        *(["video"] if several else []),
        "who",
        "probability",
        "from",
        "to",
        "frames",
        "best at",
        "",
    ):
        table.add_column(head, overflow="fold")
    for one in outcomes:
        for person in one.report.people if one.report is not None else ():
            perhaps = " or ".join(candidate.name for candidate in person.best.match.candidates)
            cells = (
                *([one.source] if several else []),
                person.label,
                "-" if person.probability is None else f"{person.probability:.2f}",
                format_video_time(person.first_s),
                format_video_time(person.last_s),
                str(person.frames),
                format_video_time(person.best.best_s),
                f"{perhaps}?" if perhaps and person.name is None else "",
            )
            table.add_row(*map(terminal.make_cell, cells))
    return table


def _raise_what_failed(outcomes: Sequence[_Outcome], *, interrupted: bool, trained: bool) -> None:
    """Raise the first thing that went wrong, for the exit code; everything was printed before."""
    if interrupted:
        click.echo("face-det: interrupted; this is what was found so far", err=True)
        raise click.exceptions.Exit(130)
    unwritten = next((one.unwritten for one in outcomes if one.unwritten is not None), None)
    if unwritten is not None:
        raise unwritten
    failed = sum(one.report is None for one in outcomes)
    if failed:
        raise DataError(f"{failed} of {terminal.count_of(len(outcomes), 'video')} could not be read")
    if not trained:
        raise ModelMissing(
            "no model is trained yet, so nobody can be named; run face-det encode and face-det train"
        )
