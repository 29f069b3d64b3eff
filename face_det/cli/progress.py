"""Shows the progress of a command on stderr: bars on a terminal, otherwise a line now and then."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from face_det.cli.terminal import make_printable

LINE_EVERY_S = 10.0
"""How often progress is printed if stderr is not a terminal."""

ProgressCallback = Callable[[str, int, int], None]


@contextmanager
def show_progress() -> Iterator[ProgressCallback]:
    """Yield a function that takes (what, done, total) and shows a bar for each `what`."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}
        printed_at = time.monotonic()

        def on_progress(what: str, done: int, total: int) -> None:
            nonlocal printed_at
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)
            if not console.is_terminal and time.monotonic() - printed_at >= LINE_EVERY_S:
                click.echo(f"{what}: {done} of {total}", err=True)
                printed_at = time.monotonic()

        yield on_progress


def progress_for(what: str, on_progress: ProgressCallback) -> Callable[[int, int], None]:
    """Return a function that takes (done, total) and reports it as `what`.

    >>> progress_for("photos", print)(1, 2)
    photos 1 2
    """
    return functools.partial(on_progress, what)


FrameProgress = Callable[[str, int, int | None], None]
"""Takes (video, frames so far, frames in all or None)."""


@contextmanager
def show_frames() -> Iterator[FrameProgress]:
    """Yield a function that takes (video, done, total) and shows a bar with frames a second."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, tuple[TaskID, float]] = {}
        printed_at = time.monotonic()

        def on_frames(video: str, done: int, total: int | None) -> None:
            nonlocal printed_at
            now = time.monotonic()
            if video not in tasks:
                tasks[video] = bars.add_task(escape(video), total=total, rate=""), now
            task, started = tasks[video]
            rate = done / (now - started) if now > started else 0.0
            bars.update(task, completed=done, rate=f"{rate:.0f} frames/s")
            if not console.is_terminal and now - printed_at >= LINE_EVERY_S:
                left = f", {(total - done) / rate:.0f} s left" if total and rate else ""
                whole = f" of {total}" if total else ""
                click.echo(f"{video}: {done}{whole} frames, {rate:.0f} frames/s{left}", err=True)
                printed_at = now

        yield on_frames


class CountProgress:
    """Counts things whose number nobody knows in advance, and prints lines that do not disturb the bar."""

    def __init__(self, what: str, bars: Progress) -> None:
        self._what, self._bars = what, bars
        self._task = bars.add_task(what, total=None)
        self._done = 0
        self._printed_at = time.monotonic()

    def advance(self) -> None:
        """Count one more."""
        self._done += 1
        self._bars.update(self._task, completed=self._done)
        if not self._bars.console.is_terminal and time.monotonic() - self._printed_at >= LINE_EVERY_S:
            click.echo(f"{self._what}: {self._done}", err=True)
            self._printed_at = time.monotonic()

    def say(self, line: str) -> None:
        """Print a line to stderr; characters that a terminal must not receive are escaped."""
        self._bars.console.print(Text(make_printable(line)), soft_wrap=True)


@contextmanager
def show_count(what: str) -> Iterator[CountProgress]:
    """Yield something to count with."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:8}"), BarColumn(), TextColumn("{task.completed}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        yield CountProgress(what, bars)
