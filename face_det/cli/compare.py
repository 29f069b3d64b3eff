"""`face-det compare`: detectors and recognisers side by side, on the user's own pictures."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from face_det.cli import progress, report_tables, terminal
from face_det.cli.shared_options import EmbedderChoice, MenuChoice, refuse_ignored
from face_det.comparison import (
    Comparison,
    DetectorSettings,
    RecogniserSettings,
    build_tables,
    comparable_classifiers,
    comparable_embedders,
    compare,
    comparison_as_json,
    prepare_output,
    render_html,
)
from face_det.detectors import DETECTORS
from face_det.storage import write_atomically
from face_det.training import DEFAULT_FALSE_ACCEPT_RATE

LEFT_OUT = ("cnn_dlib",)
"""Its boxes are those of cnn, many times as slowly; it has to be asked for."""
SCALES = ("1/8", "1/4", "1/2", "1", "2", "4")
MOST_NAMED = 10
"""How many pictures that cannot be read are named; the figures list them all."""
PAGE, FIGURES = "comparison.html", "comparison.json"


@click.command(
    help="Compare detectors on the pictures in FOLDER and the folders below it and, if it is a dataset with "
    "a folder of photos for each person, recognisers. The report is a page, comparison.html; what was "
    "measured before is not measured again."
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("comparison"),
    help="Folder for the report and the results so far; default: ./comparison.",
)
@click.option(
    "-d",
    "--detector",
    "detectors",
    type=MenuChoice(DETECTORS),
    multiple=True,
    help="A detector to compare; may be repeated. Default: all that are installed.",
)
@click.option(
    "-s",
    "--scale",
    "scales",
    type=click.Choice(SCALES),
    multiple=True,
    default=("1/2", "1", "2"),
    help="Shrink pictures to this scale first, or have them doubled by the detector; may be repeated. "
    "Default: 1/2, 1 and 2.",
)
@click.option(
    "--annotations",
    type=click.Path(path_type=Path),
    help="Where the faces are: COCO's JSON, WIDER FACE's text, or Pascal VOC's XML, a file or a folder "
    "of them. Default: where most detectors see one.",
)
@click.option(
    "--embedder",
    "embedders",
    type=EmbedderChoice(comparable_embedders()),
    multiple=True,
    help="An embedder to compare; may be repeated. Default: all of the menu.",
)
@click.option(
    "-c",
    "--classifier",
    "classifiers",
    type=click.Choice(comparable_classifiers()),
    multiple=True,
    help="A classifier to compare; may be repeated. Default: all of the menu.",
)
@click.option(
    "--false-accept-rate",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=DEFAULT_FALSE_ACCEPT_RATE,
    help="Share of strangers that a recogniser may name; default: 0.001.",
)
@click.option("--no-masks", is_flag=True, help="Leave out what masks do to the encodings.")
@click.option(
    "--only",
    type=click.Choice(("detectors", "recognisers")),
    help="Compare only these. Default: detectors and, if FOLDER holds NAME/*, recognisers.",
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Threads that encode; default: one per core.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(folder: Path, output: Path, as_json: bool, **given: Any) -> None:
    """Run `face-det compare`."""
    folder, asked = folder.absolute(), _Options(**given)
    detectors, recognisers = asked.detector_settings(), asked.recogniser_settings()
    parts = prepare_output(output, folder)
    with progress.show_progress() as on_progress:
        found = compare(folder, parts, detectors, recognisers, on_progress)
        figures = comparison_as_json(found)
        write_atomically(output / FIGURES, json.dumps(figures, indent=2).encode())
        page = render_html(found, str(folder)).encode("utf-8", "backslashreplace")
        write_atomically(output / PAGE, page)
    if as_json:
        click.echo(json.dumps(figures, indent=2))
    else:
        report_tables.print_tables(build_tables(found), terminal.make_console())
    _say_what_is_missing(found)
    click.echo(f"written: {output / PAGE}, {output / FIGURES}", err=True)


@dataclass(frozen=True, slots=True)
class _Options:
    """The options on the command line."""

    detectors: tuple[str, ...]
    scales: tuple[str, ...]
    annotations: Path | None
    embedders: tuple[str, ...]
    classifiers: tuple[str, ...]
    false_accept_rate: float
    no_masks: bool
    only: str | None
    jobs: int | None

    def detector_settings(self) -> DetectorSettings | None:
        """Return how to compare detectors; None if that is not wanted."""
        if self.only == "recognisers":
            refuse_ignored("with --only recognisers", "detectors", "scales", "annotations")
            return None
        return DetectorSettings(
            tuple(dict.fromkeys(self.detectors)) or tuple(name for name in DETECTORS if name not in LEFT_OUT),
            tuple(dict.fromkeys(map(Fraction, self.scales))),
            self.annotations,
        )

    def recogniser_settings(self) -> RecogniserSettings | None:
        """Return how to compare recognisers; None if that is not wanted."""
        if self.only == "detectors":
            refuse_ignored(
                "with --only detectors", "embedders", "classifiers", "false_accept_rate", "no_masks", "jobs"
            )
            return None
        if sum(name not in comparable_embedders() for name in self.embedders) > 1:
            raise click.UsageError("--embedder takes one onnx:PATH; compare one file after the other.")
        return RecogniserSettings(
            tuple(dict.fromkeys(self.embedders)) or tuple(comparable_embedders()),
            tuple(dict.fromkeys(self.classifiers)) or tuple(comparable_classifiers()),
            self.false_accept_rate,
            not self.no_masks,
            self.jobs or len(os.sched_getaffinity(0)),
        )


def _say_what_is_missing(found: Comparison) -> None:
    """Say what was left out, on stderr."""
    if found.no_dataset is not None:
        click.echo(f"recognisers are not compared: {terminal.make_printable(found.no_dataset)}", err=True)
    truth = None if found.detectors is None else found.detectors.truth
    for line in () if truth is None else truth.problems[:MOST_NAMED]:
        click.echo(terminal.make_printable(f"annotations: {line}"), err=True)
    failures = found.failures()
    for line in failures[:MOST_NAMED]:
        click.echo(terminal.make_printable(line), err=True)
    if failures:
        click.echo(f"without an answer, counted as nothing found: {len(failures)}", err=True)
    unreadable = found.pictures.unreadable
    for path, why in unreadable[:MOST_NAMED]:
        click.echo(terminal.make_printable(f"{found.pictures.name(path)}: {why}"), err=True)
    if unreadable:
        left_out = terminal.count_of(len(unreadable), "picture")
        click.echo(f"left out, as they cannot be read: {left_out}", err=True)
