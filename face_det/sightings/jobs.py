"""Changes that wait for the writer's thread, with those who wait for them."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from face_det.errors import FaceDetError

T = TypeVar("T")


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """A change. Without a future nobody waits for it, and it is tried until the database can be written.

    `whole` says whether it runs within a transaction, and is made as a whole or not at all.
    """

    change: Callable[[sqlite3.Connection], Any]
    future: Future[Any] | None
    whole: bool = True


class Jobs:
    """A queue of jobs; any thread may add to it, and one takes from it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._closed: FaceDetError | None = None

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def add(self, change: Callable[[sqlite3.Connection], T], *, whole: bool = True) -> Future[T]:
        """Add a change that somebody waits for; after the end, the future holds an error at once."""
        future: Future[T] = Future()
        self._add(Job(change, future, whole))
        return future

    def post(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Add a change that nobody waits for."""
        self._add(Job(change, None))

    def take(self) -> Job | None:
        """Remove and return the oldest job; None if there is none."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def put_back(self, job: Job) -> None:
        """Add a job again, before all others."""
        with self._lock:
            self._waiting.appendleft(job)

    def fail(self, error: FaceDetError) -> None:
        """Tell all who wait that their change was not made; what nobody waits for stays."""
        with self._lock:
            awaited = [job for job in self._waiting if job.future is not None]
            self._waiting = deque(job for job in self._waiting if job.future is None)
        _fail(awaited, error)

    def close(self, error: FaceDetError) -> None:
        """Tell all who wait, now or later, that their change is not made."""
        with self._lock:
            self._closed = error
        self.fail(error)

    def _add(self, job: Job) -> None:
        with self._lock:
            closed = self._closed
            if closed is None:
                self._waiting.append(job)
        if closed is not None:
            _fail([job], closed)


def _fail(jobs: list[Job], error: FaceDetError) -> None:
    for job in jobs:
        # One whose caller has given up is cancelled already.
        if job.future is not None and job.future.set_running_or_notify_cancel():
            job.future.set_exception(error)
