"""Changes that wait for the writer's thread, and the callers that wait for them."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from face_det.errors import CannotWrite, FaceDetError
from face_det.sightings.schema import may_pass

log = logging.getLogger(__name__)

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

    def __init__(self, path: Path) -> None:
        """`path` is the database's, for messages."""
        self._path = path
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

    def post(self, change: Callable[[sqlite3.Connection], object], *, whole: bool = True) -> None:
        """Add a change that nobody waits for."""
        self._add(Job(change, None, whole))

    def run_next(self, make: Callable[[Job], Any]) -> None:
        """Make the oldest change, if there is any, and notify its caller.

        Raises what is wrong with the database; whatever else is wrong is the caller's of that change to know
        or, if nobody waits, the log's. A change that nobody waits for stays while the database is at fault.
        """
        with self._lock:
            job = self._waiting.popleft() if self._waiting else None
        if job is None or (job.future is not None and not job.future.set_running_or_notify_cancel()):
            return
        try:
            result = make(job)
        except sqlite3.Error as error:
            if job.future is not None:
                text = f"{self._path}: cannot be written: {error}; nothing was changed; try again"
                job.future.set_exception(CannotWrite(text))
            elif may_pass(error):
                with self._lock:
                    self._waiting.appendleft(job)
            else:
                log.exception("%s: a change was not made: %s", self._path, error)
            raise
        except Exception as error:
            if job.future is None:
                log.exception("%s: a change was not made: %s", self._path, error)
            else:
                job.future.set_exception(error)
        else:
            if job.future is not None:
                job.future.set_result(result)

    def fail(self, error: FaceDetError) -> None:
        """Notify all waiting callers that their change was not made; changes without a caller stay."""
        with self._lock:
            awaited = [job for job in self._waiting if job.future is not None]
            self._waiting = deque(job for job in self._waiting if job.future is None)
        _fail(awaited, error)

    def close(self, error: FaceDetError) -> None:
        """Notify all callers, now or later, that their change is not made."""
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
