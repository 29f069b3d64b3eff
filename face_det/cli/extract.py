"""The command `face-det extract`: cuts persons and faces out of pictures, to train on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face_det.cli import terminal
from face_det.cli.interruption import Interruption
from face_det.cli.progress import ProgressCallback, progress_for, show_progress
from face_det.cli.shared_options import ConfigSource, Decorated, config_option, refuse_ignored
from face_det.config import Config
from face_det.errors import FaceDetError
from face_det.extraction import TIMEOUT_S, WIDTH_PX, CropKind

if TYPE_CHECKING:
    from face_det.engine import FaceEngine
    from face_det.extraction import Extraction, ExtractOptions, ExtractReport, PersonFinder, PictureSource

MAX_LISTED = 20
"""How many pictures that could not be used are listed, unless JSON is wanted."""
_PLURALS = {
    CropKind.PERSON: "persons with a face",
    CropKind.NO_FACE: "persons without a face",
    CropKind.FACE: "faces",
}


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where the pictures come from; exactly one is given, or a list with the folder its paths start from."""

    dataset: Path | None
    file_path: Path | None
    video: Path | None
    zoneminder: int | None
    each_frame: int

    def open(self, config: Config, output: Path) -> PictureSource:
        """Find the pictures; raises what finding them raises."""
        from face_det.cli.event_pictures import pictures_in_event
        from face_det.extraction import pictures_in_folder, pictures_in_list, pictures_in_video

        if self.zoneminder is not None:
            return pictures_in_event(config, self.zoneminder)
        if self.video is not None:
            return pictures_in_video(self.video, self.each_frame, max_pixels=config.max_pixels)
        if self.file_path is not None:
            return pictures_in_list(self.file_path, self.dataset, max_pixels=config.max_pixels)
        assert self.dataset is not None
        return pictures_in_folder(self.dataset, output, max_pixels=config.max_pixels)

    def require_one(self) -> None:
        """Raise UsageError unless exactly one is given, and what belongs to it."""
        listed = self.file_path if self.file_path is not None else self.dataset
        if sum(one is not None for one in (listed, self.video, self.zoneminder)) != 1:
            raise click.UsageError("Give one of --dataset, --file_path, --video and --zoneminder.")
        if self.video is None:
            refuse_ignored("without --video", "each_frame")


@dataclass(frozen=True, slots=True)
class _Persons:
    """How persons are found."""

    endpoint: str | None
    timeout_s: float
    model: Path | None
    no_objects: bool
    min_score: float | None

    def require_one(self) -> None:
        """Raise UsageError if several ways are given, or what none of them has."""
        if (self.endpoint is not None) + (self.model is not None) + self.no_objects > 1:
            raise click.UsageError("Give one of --detector-endpoint, --person-model and --no-objects.")
        if self.min_score is not None and self.endpoint is None and self.model is None:
            raise click.UsageError("--min-score needs --detector-endpoint or --person-model.")
        if self.endpoint is None:
            refuse_ignored("without --detector-endpoint", "detector_timeout")

    def finder(self, config: Config, engine: FaceEngine) -> PersonFinder | None:
        """Return what finds persons; None if faces are searched for in whole pictures."""
        from face_det.extraction import (
            MODEL_MIN_SCORE,
            FacePersonFinder,
            ModelPersonFinder,
            ObjectDetectionServer,
        )

        if self.no_objects:
            return None
        if self.endpoint is not None:
            heartbeat_s = config.zerorpc_heart_beat / 1000
            least = self.min_score or 0.0
            return ObjectDetectionServer(
                self.endpoint, timeout_s=self.timeout_s, heartbeat_s=heartbeat_s, min_score=least
            )
        if self.model is not None:
            least = MODEL_MIN_SCORE if self.min_score is None else self.min_score
            return ModelPersonFinder(self.model, config.compute, least)
        return FacePersonFinder(engine)


def _switch(short: str, long: str, text: str) -> Callable[[Decorated], Decorated]:
    """Return an option that is a switch, and takes True or False as the original's did."""
    return click.option(
        short,
        long,
        is_flag=False,
        flag_value="True",
        type=click.BOOL,
        default=None,
        metavar="[True|False]",
        help=text,
    )


@click.command(
    help="Cut persons and faces out of pictures, to train on. Run it again to go on after an interruption, "
    "or with new pictures: what is finished is not done again, and nothing is ever overwritten. A picture "
    "that cannot be used is listed and spoils nothing."
)
@click.option(
    "-d", "--dataset", type=click.Path(path_type=Path), help="Folder of pictures, with those below."
)
@click.option(
    "-f",
    "--file_path",
    type=click.Path(path_type=Path),
    help="File that lists pictures, a path a line; relative ones start from --dataset or the file's folder.",
)
@click.option("--video", type=click.Path(path_type=Path, dir_okay=False), help="Video to take frames from.")
@click.option("--each-frame", type=click.IntRange(min=1), default=5, help="Every n-th frame; default: 5.")
@click.option("--zoneminder", type=click.IntRange(min=1), metavar="EID", help="Event of ZoneMinder.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write to.",
)
@_switch("-sf", "--save_faces", "Save faces, with a margin.")
@_switch("-spf", "--save_person_face", "Save persons with a face; the default if nothing else is saved.")
@_switch("-spnf", "--save_person_no_face", "Save persons without a face.")
@click.option(
    "--width",
    type=click.IntRange(0, 10_000),
    default=WIDTH_PX,
    help=f"Width of what is saved, in pixels; 0 leaves it as it is. Default: {WIDTH_PX}.",
)
@click.option(
    "--detector-endpoint",
    metavar="ENDPOINT",
    help="Object detection server that finds the persons: ipc:///PATH or tcp://HOST:PORT.",
)
@click.option(
    "--detector-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=TIMEOUT_S,
    help=f"Seconds that the server may take for four pictures; default: {TIMEOUT_S:g}.",
)
@click.option("--person-model", type=click.Path(path_type=Path), help="ONNX file that finds the persons.")
@click.option("--no-objects", is_flag=True, help="Search whole pictures for faces; saves only faces.")
@click.option("--min-score", type=click.FloatRange(0, 1), help="Pass over persons that score lower.")
@click.option("--sort", is_flag=True, help="Sort into folders: people by name, strangers by likeness.")
@click.option(
    "--best", type=click.IntRange(min=1), metavar="N", help="Keep each person's N best and most different."
)
@click.option("--per-visit", is_flag=True, help="With --best, N for each folder, video or event.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    dataset: Path | None,
    file_path: Path | None,
    video: Path | None,
    each_frame: int,
    zoneminder: int | None,
    output: Path,
    save_faces: bool | None,
    save_person_face: bool | None,
    save_person_no_face: bool | None,
    width: int,
    detector_endpoint: str | None,
    detector_timeout: float,
    person_model: Path | None,
    no_objects: bool,
    min_score: float | None,
    sort: bool,
    best: int | None,
    per_visit: bool,
    config_source: ConfigSource,
    as_json: bool,
) -> None:
    """Run the command."""
    sources = _Sources(dataset, file_path, video, zoneminder, each_frame)
    persons = _Persons(detector_endpoint, detector_timeout, person_model, no_objects, min_score)
    sources.require_one()
    persons.require_one()
    kinds = _kinds(save_faces, save_person_face, save_person_no_face, no_objects)
    if per_visit and best is None:
        raise click.UsageError("--per-visit needs --best.")
    from face_det.extraction import Extraction, ExtractOptions, SortOptions, open_output
    from face_det.service import build_service

    config = config_source.load()
    source = sources.open(config, output)
    service = build_service(config)
    recognizer = service.access.recognizer()
    if sort and not service.trained:
        click.echo("face-det: no model is trained yet, so everybody is sorted as a stranger", err=True)
    options = ExtractOptions(kinds, width, SortOptions(sort, best, per_visit))
    finder = persons.finder(config, recognizer.engine)
    with open_output(output) as folder, Interruption() as interruption:
        extraction = Extraction(folder, recognizer, finder, options)
        with show_progress() as show, _telling_what_is_done(extraction, output, as_json):
            _run(extraction, source, interruption, show)
        _print_report(extraction.report, source, output, as_json)
    _end(extraction.report, source, options, interrupted=interruption.asked)


def _kinds(
    faces: bool | None, person_face: bool | None, no_face: bool | None, no_objects: bool
) -> frozenset[CropKind]:
    """Return what is saved: what is switched on, or the default if nothing is."""
    given = {CropKind.FACE: faces, CropKind.PERSON: person_face, CropKind.NO_FACE: no_face}
    kinds = {kind for kind, wanted in given.items() if wanted}
    if not kinds:
        default = CropKind.FACE if no_objects else CropKind.PERSON
        if given[default] is False:
            raise click.UsageError("Nothing is to be saved: switch on -sf, -spf or -spnf.")
        kinds = {default}
    if no_objects and kinds != {CropKind.FACE}:
        raise click.UsageError("--no-objects finds no persons, so it goes only with -sf.")
    return frozenset(kinds)


def _run(
    extraction: Extraction, source: PictureSource, interruption: Interruption, show: ProgressCallback
) -> None:
    report = extraction.report

    def on_progress(done: int) -> None:
        show("pictures", done, max(done, source.total or 0))

    extraction.run(interruption.until(iter(source.pictures)), on_progress)
    if not interruption.asked and report.pictures:
        extraction.sort(progress_for("sorting", show))


@contextmanager
def _telling_what_is_done(extraction: Extraction, output: Path, as_json: bool) -> Iterator[None]:
    """Say what was finished before an error ends the run."""
    try:
        yield
    except FaceDetError:
        done = terminal.count_of(extraction.report.pictures, "picture")
        click.echo(f"face-det: {done} finished in {output}; run it again to go on", err=True)
        raise


def _end(report: ExtractReport, source: PictureSource, options: ExtractOptions, *, interrupted: bool) -> None:
    """Raise what the exit code is to say; everything else was printed before."""
    from face_det.extraction import require_readable

    if interrupted:
        later = "; nothing is sorted before all pictures were seen" if options.sort.needs_all else ""
        click.echo(f"face-det: interrupted{later}; run it again to go on", err=True)
        raise click.exceptions.Exit(130)
    require_readable(report, source)


def _print_report(report: ExtractReport, source: PictureSource, output: Path, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report_as_json(report, source, output), indent=2))
        return
    counts = report.counts
    looked = terminal.count_of(report.pictures, "picture")
    before = f", {report.before} of them before" if report.before else ""
    shown = f"{terminal.count_of(counts['persons'], 'person')}, {terminal.count_of(counts['faces'], 'face')}"
    click.echo(f"{looked}{before}: {shown}")
    for kind, text in _PLURALS.items():
        if counts[kind.value]:
            click.echo(f"{text}: {counts[kind.value]}")
    if counts["unclear"]:
        click.echo(f"left out, because the face is too small or too blurry: {counts['unclear']}")
    if counts["outside"]:
        click.echo(f"left out, because the person's box is outside the picture: {counts['outside']}")
    for folder, number in sorted((report.folders or {}).items()):
        click.echo(f"{terminal.make_printable(str(output / folder))}: {number}")
    _print_left_out(report, source)


def _print_left_out(report: ExtractReport, source: PictureSource) -> None:
    for picture, reason in report.unreadable[:MAX_LISTED]:
        click.echo(terminal.make_printable(f"left out: {picture}: {reason}"))
    if len(report.unreadable) > MAX_LISTED:
        click.echo(f"left out: {len(report.unreadable) - MAX_LISTED} more; --json lists all")
    for place, reason in source.unreadable:
        click.echo(terminal.make_printable(f"cannot be read: {place}: {reason}"))
    if source.others:
        click.echo(terminal.summarize_others(source.others))
    if (problem := source.problem()) is not None:
        click.echo(terminal.make_printable(f"face-det: {problem}"), err=True)


def report_as_json(report: ExtractReport, source: PictureSource, output: Path) -> dict[str, Any]:
    """Return the report as JSON values."""
    counts = report.counts
    return {
        "output": str(output),
        "pictures": report.pictures,
        "before": report.before,
        "persons": counts["persons"],
        "faces": counts["faces"],
        "saved": {kind.value: counts[kind.value] for kind in CropKind},
        "unclear": counts["unclear"],
        "outside": counts["outside"],
        "folders": report.folders,
        "leftOut": [{"picture": picture, "reason": reason} for picture, reason in report.unreadable],
        "notPictures": [str(path) for path in source.others],
        "unreadable": [{"path": str(path), "reason": reason} for path, reason in source.unreadable],
        "problem": source.problem(),
    }
