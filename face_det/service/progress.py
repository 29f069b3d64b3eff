"""The progress of the running training, and the result of the last one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class TrainingProgress:
    """The training that is running, and the last one. Thread-safe; one training runs at a time.

    >>> progress = TrainingProgress()
    >>> with progress.running():
    ...     progress.note("encode", 1, 4)
    ...     progress.as_json()["step"]
    'reading the photos'
    >>> progress.as_json()["running"]
    False
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._step: str | None = None
        self._done = self._total = 0
        self._started: float | None = None
        self._report: dict[str, Any] | None = None
        self._error: str | None = None

    @property
    def report(self) -> dict[str, Any]:
        """The answer of the last successful training; empty before the first."""
        return dict(self._report or {})

    @contextmanager
    def running(self) -> Iterator[TrainingProgress]:
        """Mark a training as running during a `with` block; an error that ends it is reported later."""
        with self._lock:
            self._step, self._done, self._total = "beginning", 0, 0
            self._started = time.time()
        try:
            yield self
        except BaseException as error:
            with self._lock:
                self._error = f"{type(error).__name__}: {error}"
            raise
        else:
            with self._lock:
                self._error = None
        finally:
            with self._lock:
                self._step = None

    def note(self, step: str, done: int, total: int) -> None:
        """Record the progress of a step: `encode`, or the kind of classifier that is being searched for."""
        with self._lock:
            self._step = "reading the photos" if step == "encode" else f"looking for the best {step}"
            self._done, self._total = done, total

    def done(self, report: Mapping[str, Any]) -> None:
        """Record the training's answer, with the time."""
        with self._lock:
            self._report, self._finished = dict(report), time.time()

    def as_json(self) -> dict[str, Any]:
        """Return what `status` reports; times are in seconds since 1970."""
        with self._lock:
            running = self._step is not None
            report = None if self._report is None else {"at": self._finished, **self._report}
            return {
                "running": running,
                "step": self._step,
                "done": self._done if running else 0,
                "total": self._total if running else 0,
                "started": self._started,
                "report": report,
                "error": self._error,
            }
