"""`face-det evaluate`: how often known people get the right name, and strangers any name."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from face_det.classifiers import CLASSIFIERS, required_embedder
from face_det.cli import progress, report_tables, terminal
from face_det.cli.shared_options import ConfigSource, EmbedderChoice, config_option
from face_det.config import Config, list_choices
from face_det.engine import build_engine
from face_det.errors import DataError
from face_det.evaluation import (
    DEFAULT_TRAINING_STRANGERS,
    NO_SHORTCOMING,
    Evaluation,
    ExtraMeasurements,
    RecognitionSettings,
    build_tables,
    evaluate_split,
    evaluation_as_json,
    render_html,
    split_dataset,
    summarize_evaluation,
)
from face_det.gallery import EncodingCache, evaluation_cache_path
from face_det.media import explain_missing_fonts
from face_det.recognition import DecisionRule
from face_det.service import build_enrolment_options
from face_det.storage import make_folder, write_atomically


class NumberList(click.ParamType):  # type: ignore[type-arg]
    """A comma-separated list of whole numbers: 1,3,5 becomes (1, 3, 5)."""

    name = "numbers"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Parse the list; fail unless every number is at least 1."""
        if isinstance(value, tuple):
            return value
        try:
            counts = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            counts = ()
        if not counts or min(counts) < 1:
            self.fail(f"must be whole numbers of at least 1, such as 1,3,5, got {value!r}", param, ctx)
        return counts


@click.command(
    help="Measure recognition on photos that were not enrolled. DATASET is a folder with a folder of photos "
    "for each person (default: datasetPath), or one with known/NAME/* and strangers/*."
)
@click.argument("dataset", required=False, type=click.Path(path_type=Path))
@click.option(
    "--held-out",
    type=click.Path(path_type=Path),
    help="Enrol all of DATASET and test on NAME/* in this folder.",
)
@click.option("--enrol", type=click.IntRange(min=1), help="Number of photos to enrol per person; default: 5.")
@click.option(
    "--unknown",
    type=click.IntRange(min=0),
    default=DEFAULT_TRAINING_STRANGERS,
    help="Train on at most this many strangers; default: 200.",
)
@click.option("--people", type=click.IntRange(min=1), help="Use only this many people, in order of name.")
@click.option("--seed", type=int, help="Draw the people at random with this seed instead.")
@click.option(
    "--photos",
    type=NumberList(),
    default=(),
    help="Repeat with this many photos enrolled per person, such as 1,3,5.",
)
@click.option(
    "-c",
    "--classifier",
    type=click.Choice([*CLASSIFIERS]),
    help="Classifier to evaluate; default: classifier in the config.",
)
@click.option(
    "--embedder",
    type=EmbedderChoice(list_choices("embedder")),
    help="Embedder to evaluate; default: embedder in the config.",
)
@click.option("--compare", is_flag=True, help="Compare with other systems' rules on the same encodings.")
@click.option(
    "--degrade", is_flag=True, help="Repeat with small, blurred, compressed, dark and masked faces."
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a report with charts to this HTML file.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for computed encodings; default: in the user's cache.",
)
@config_option
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Threads; default: one per core.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """Run `face-det evaluate`."""
    asked = _Options(**given)
    if asked.enrol is not None and asked.photos and asked.enrol < max(asked.photos):
        raise click.UsageError(f"--photos must be at most --enrol, {asked.enrol}, got {max(asked.photos)}")
    if asked.seed is not None and asked.people is None:
        raise click.UsageError("--seed needs --people: how many to draw.")
    if asked.page is not None and not asked.page.absolute().parent.is_dir():
        raise DataError(f"{asked.page}: must be in an existing folder, {asked.page.parent} does not exist")
    config = asked.config_source.load()
    folder = (asked.dataset or config.dataset_path).absolute()
    try:
        found = _evaluate(asked, config, folder)
        # Print first: hours of work must not be lost to a full disk.
        _print_figures(found, asked.as_json)
        if asked.page is not None:
            _write_page(asked.page, found, folder)
    except KeyboardInterrupt:
        click.echo("face-det: interrupted; the encodings so far are kept for the next run", err=True)
        context.exit(130)


@dataclass(frozen=True, slots=True)
class _Options:
    """The options on the command line."""

    dataset: Path | None
    held_out: Path | None
    enrol: int | None
    unknown: int
    people: int | None
    seed: int | None
    photos: tuple[int, ...]
    classifier: str | None
    embedder: str | None
    compare: bool
    degrade: bool
    page: Path | None
    cache: Path | None
    config_source: ConfigSource
    jobs: int | None
    as_json: bool


def _evaluate(asked: _Options, config: Config, folder: Path) -> Evaluation:
    """Split the dataset and evaluate it."""
    split = split_dataset(
        folder,
        asked.held_out,
        enrol_photos=asked.enrol,
        repeat_with=asked.photos,
        strangers=asked.unknown,
        only=asked.people,
        seed=asked.seed,
    )
    kind = asked.classifier or config.classifier
    embedder = asked.embedder or required_embedder(kind) or config.embedder
    jobs = asked.jobs or len(os.sched_getaffinity(0))
    with EncodingCache(_cache_file(asked.cache)) as cache, progress.show_progress() as on_progress:
        return evaluate_split(
            split,
            build_engine(build_enrolment_options(config, embedder)),
            cache,
            RecognitionSettings(
                kind,
                embedder,
                DecisionRule(config.min_proba, config.decision),
                config.false_accept_rate,
                jobs,
            ),
            ExtraMeasurements(asked.photos, asked.compare, asked.degrade),
            jobs=jobs,
            on_progress=on_progress,
        )


def _write_page(page: Path, found: Evaluation, folder: Path) -> None:
    with progress.show_progress() as on_progress:
        on_progress("report", 0, 1)
        # File names may hold bytes that are not valid text.
        text = render_html(found, str(folder)).encode("utf-8", "backslashreplace")
        write_atomically(page.absolute(), text)
        on_progress("report", 1, 1)
    click.echo(f"written: {page}", err=True)
    undrawn = explain_missing_fonts(found.split.people)
    if undrawn is not None:
        click.echo(f"face-det: {undrawn}", err=True)


def _cache_file(given: Path | None) -> Path:
    """Return the cache file, creating its folder. Raises DataError if that fails."""
    path = given.absolute() if given else evaluation_cache_path()
    try:
        make_folder(path.parent)
    except OSError as error:
        raise DataError(f"{path.parent}: must be a writable folder, got {error.strerror}") from error
    return path


def _print_figures(found: Evaluation, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(evaluation_as_json(found), indent=2))
        return
    console = terminal.make_console()
    verdict = summarize_evaluation(found)
    for line in (verdict.sentence, *(verdict.shortcomings or (NO_SHORTCOMING,)), ""):
        console.print(line, markup=False, highlight=False)
    report_tables.print_tables(build_tables(found), console)
