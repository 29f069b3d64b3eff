"""How far a command is, on stderr: bars on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0
"""How often it is told where there is no terminal to draw on."""

ProgressCallback = Callable[[str, int, int], None]


@contextmanager
def show_progress() -> Iterator[ProgressCallback]:
    """A function to call with what is done, how many of it are, of how many: a bar for each `what`."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}
        told = time.monotonic()

        def on_progress(what: str, done: int, total: int) -> None:
            nonlocal told
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)
            if not console.is_terminal and time.monotonic() - told >= LINE_EVERY_S:
                click.echo(f"{what}: {done} of {total}", err=True)
                told = time.monotonic()

        yield on_progress


def progress_for(what: str, on_progress: ProgressCallback) -> Callable[[int, int], None]:
    """The same for one thing only: (done, total)."""
    return functools.partial(on_progress, what)
