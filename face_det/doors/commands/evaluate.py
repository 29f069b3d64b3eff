"""`face-det evaluate`: how often people are named rightly, and strangers named at all."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import platformdirs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from face_det import config as configuration
from face_det import engine
from face_det.doors.assemble import engine_options
from face_det.identity.cache import Cache
from face_det.identity.evaluation import figures, portraits, protocol, trial
from face_det.registry import CLASSIFIERS

LINE_EVERY_S = 10.0


@click.command(help="Measure recognition on photos that were not enrolled.")
@click.argument("dataset", required=False, type=click.Path(path_type=Path))
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="config.json to use.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Threads; default: one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_context
def command(
    context: click.Context, dataset: Path | None, config_path: Path | None, jobs: int | None, as_json: bool
) -> None:
    """Entry point of the command."""
    config = configuration.load(configuration.locate(config_path, os.environ), os.environ)
    jobs = jobs or len(os.sched_getaffinity(0))
    split = protocol.split((dataset or config.dataset_path).absolute())
    folder = platformdirs.user_cache_path("face_det")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with Cache(folder / "evaluate.cache.sqlite") as cache, _shown() as on_progress:
            outcomes = portraits.encode(
                [photo.path for photo in split.photos],
                engine.build(engine_options(config)),
                cache,
                jobs=jobs,
                on_progress=on_progress,
            )
    except KeyboardInterrupt:
        click.echo("face-det: interrupted; what was encoded is kept for the next run", err=True)
        context.exit(130)
    given = trial.trial(split, outcomes)
    classifier = config.classifier if config.classifier in CLASSIFIERS else "svm"
    _, answers = trial.ours(given, trial.Settings(classifier, config.embedder, config.min_proba, jobs))
    table = figures.open_set(given.truth, answers, given.known_no_face, given.strangers_no_face)
    if as_json:
        values = {
            name: {"count": share.count, "of": share.total, "interval": share.interval}
            for name, share in table.shares()
        }
        click.echo(json.dumps(values, indent=2))
        return
    for name, share in table.shares():
        low, high = share.interval
        click.echo(
            f"{name:28}{share.count:6} of {share.total:5}  {share.value:7.2%}  {low:.2%} to {high:.2%}"
        )


@contextmanager
def _shown() -> Iterator[Callable[[int, int], None]]:
    """Progress on stderr: a bar on a terminal, else a line now and then."""
    console = Console(stderr=True)
    columns = (TextColumn("encoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("encoding", total=None)
        told = time.monotonic()

        def on_progress(done: int, total: int) -> None:
            nonlocal told
            bar.update(task, completed=done, total=total)
            if not console.is_terminal and time.monotonic() - told >= LINE_EVERY_S:
                click.echo(f"{done} of {total} photos", err=True)
                told = time.monotonic()

        yield on_progress
