"""Native threads behind a bounded queue, awaited from greenlets.

The hub must stay free to send heartbeats, so no computation runs on it: a greenlet hands its work over
with `submit` and sleeps, and the thread hands the result back through the hub's loop.

No batch keeps other clients waiting, because clients take turns (FairQueue). A long job calls
`give_way` between two people and then waits, half done, for its client's next turn. For that, each job
is a greenlet of its thread (plain greenlets, unknown to gevent).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import gevent
import greenlet
from gevent.event import Event

from face_det.budget import Budget
from face_det.daemon.fair_queue import FairQueue
from face_det.errors import Busy
from face_det.rpc import CURRENT_CLIENT

T = TypeVar("T")

WINDOW = 512
"""The percentiles are taken over this many of the latest calls."""
BEAT_S = 0.5
"""How often a thread that waits for a job gives a sign of life."""
MAX_PAUSE_S = 1.0
"""The longest pause for another pool's sake."""
MAX_SILENCE_S = 10.0
"""A waiting thread that is silent for longer hangs: no thread goes that long without the interpreter lock."""


def give_way() -> None:
    """Let other clients have their turn, and return on the next one of ours. Call it from within a job."""
    parent = greenlet.getcurrent().parent
    if isinstance(threading.current_thread(), _Thread) and parent is not None:
        parent.switch()


@dataclass(eq=False)
class _Job:
    """One submitted call. The thread that runs it sets `value` or `error`, then the hub sets `done`."""

    run: Callable[[], Any]
    notes: dict[str, Any]
    limit_s: float
    budget: Budget = field(default_factory=Budget)
    client: Hashable = None
    thread: _Thread | None = None
    greenlet: Any = None
    submitted: float = field(default_factory=time.monotonic)
    done: Event = field(default_factory=Event)
    value: Any = None
    error: Exception | None = None


class _Thread(threading.Thread):
    """A native thread, its current job, and when it last gave a sign of life (`since`, monotonic).

    It is a daemon thread, so that one that hangs does not keep the process alive.
    """

    def __init__(self, work: Callable[[_Thread], None], name: str) -> None:
        super().__init__(target=work, args=(self,), name=name, daemon=True)
        self.job: _Job | None = None
        self.since = time.monotonic()


class Workers:
    """`threads` native threads and a queue of `queue_size` jobs. Create, start and use it on one hub.

    With `yields_to`, a thread pauses after each job, or part of one, if that pool had jobs meanwhile: for
    `pauses` times as long as it took, at most MAX_PAUSE_S. With 1, many jobs in a row leave the other pool
    half of the time. `begun` counts the jobs begun.
    """

    def __init__(
        self,
        threads: int,
        queue_size: int,
        *,
        name: str = "worker",
        yields_to: Workers | None = None,
        pauses: float = 1.0,
    ) -> None:
        self._queue_size = queue_size
        self._loop = gevent.get_hub().loop
        # While all greenlets wait for threads, this keeps the loop from exiting as idle.
        self._keep_alive = self._loop.async_()
        self._ready = threading.Condition()
        self._waiting: FairQueue[_Job] = FairQueue()
        self._threads = [_Thread(self._work, f"{name}-{index}") for index in range(threads)]
        self._unfinished = 0
        self._idle = Event()
        self._idle.set()
        self._refusal: str | None = None
        self._yields_to = yields_to
        self._pauses = pauses
        self.begun = 0
        self._counts = {"done": 0, "failed": 0, "refused": 0, "abandoned": 0, "cancelled": 0}
        self._spans_ms: deque[float] = deque(maxlen=WINDOW)

    def start(self) -> None:
        """Start the threads."""
        self._keep_alive.start(lambda: None)
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        run: Callable[[], T],
        *,
        limit_s: float,
        notes: dict[str, Any] | None = None,
        budget: Budget | None = None,
    ) -> T:
        """Run `run()` on a thread and return or raise what it does; blocks only the calling greenlet.

        Raises Busy at once if the queue is full or closed. `limit_s` is how many seconds it may run
        without giving way before the thread counts as stuck; `notes` gains `queue_ms`. If the greenlet
        is killed while it waits here, a job that has not begun is removed from the queue, and the
        `budget` of one that has begun is cancelled.
        """
        job = _Job(run, {} if notes is None else notes, limit_s, budget or Budget(), CURRENT_CLIENT.get())
        self._enqueue(job)
        try:
            job.done.wait()
        finally:
            if not job.done.is_set():
                self._abandon(job)
        if job.error is not None:
            raise job.error
        value: T = job.value
        return value

    def _enqueue(self, job: _Job) -> None:
        with self._ready:
            idle = sum(1 for thread in self._threads if thread.job is None)
            if self._refusal is None and len(self._waiting) < self._queue_size + idle:
                self._waiting.add(job.client, job)
                self._unfinished += 1
                self._idle.clear()
                self._ready.notify()
                return
            self._counts["refused"] += 1
            raise Busy(self._refusal or f"queue full: {len(self._waiting)} calls are waiting; try again")

    def _abandon(self, job: _Job) -> None:
        with self._ready:
            if job.thread is not None:
                self._counts["cancelled"] += 1
                job.budget.cancel()
                return
            self._counts["abandoned"] += 1
            self._waiting.remove(job.client, job)
        self._finished()

    def _work(self, thread: _Thread) -> None:
        while True:
            job = self._next(thread)
            if job.greenlet is None:
                job.notes["queue_ms"] = round((thread.since - job.submitted) * 1000)
                job.greenlet = greenlet.greenlet(_run_job)
            begun = 0 if self._yields_to is None else self._yields_to.begun
            job.greenlet.switch(job)
            pause_s = self._pause_s(time.monotonic() - thread.since, begun)
            with self._ready:
                # The order matters: `stuck` looks at both without the lock.
                thread.since = time.monotonic()
                thread.job = None
                ended = job.greenlet.dead
                if ended:
                    self._spans_ms.append((time.monotonic() - job.submitted) * 1000)
                    self._counts["done" if job.error is None else "failed"] += 1
                else:
                    # First in its client's queue again, while the client goes to the end of the ring.
                    self._waiting.put_back(job.client, job)
            if ended:
                self._loop.run_callback_threadsafe(self._deliver, job)
            # While this thread waits for the next job, it must not keep the images of this one alive.
            del job
            if pause_s:
                time.sleep(pause_s)

    @property
    def busy(self) -> bool:
        """True while a thread has a job."""
        return any(thread.job is not None for thread in self._threads)

    def _pause_s(self, busy_s: float, begun: int) -> float:
        """Return how long to pause after a job, if the other pool served somebody meanwhile.

        `begun` is how many jobs the other pool had begun before.
        """
        others = self._yields_to
        if others is None or (others.begun == begun and not others.busy):
            return 0.0
        return min(busy_s * self._pauses, MAX_PAUSE_S)

    def _next(self, thread: _Thread) -> _Job:
        """Wait for the job whose turn it is: one that no thread has begun, or that this thread has."""
        with self._ready:
            while (job := self._waiting.take(lambda job: job.thread in (None, thread))) is None:
                thread.since = time.monotonic()
                self._ready.wait(BEAT_S)
            thread.since = time.monotonic()
            self.begun += 1
            thread.job = job
            job.thread = thread
            return job

    def _deliver(self, job: _Job) -> None:
        job.done.set()
        self._finished()

    def _finished(self) -> None:
        self._unfinished -= 1
        if self._unfinished == 0:
            self._idle.set()

    def close(self, reason: str) -> None:
        """Refuse new and waiting jobs with Busy(reason); running ones continue."""
        with self._ready:
            self._refusal = reason
            refused = []
            while (job := self._waiting.take(lambda job: job.thread is None)) is not None:
                refused.append(job)
            self._counts["refused"] += len(refused)
        for job in refused:
            job.error = Busy(reason)
            self._deliver(job)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until no job is waiting or running; return False if that takes longer than `timeout_s`."""
        return bool(self._idle.wait(timeout_s))

    def stuck(self) -> str | None:
        """Say which thread has died, exceeds the limit of its job or is idle and silent.

        None if none does.
        """
        for thread in self._threads:
            job = thread.job
            silent_s = time.monotonic() - thread.since
            if not thread.is_alive():
                return f"{thread.name} has died"
            if job is None and silent_s > MAX_SILENCE_S:
                return f"{thread.name} is idle and has given no sign of life for {silent_s:.0f} s"
            if job is not None and silent_s > job.limit_s:
                return f"{thread.name} has been busy with one call for {silent_s:.0f} s"
        return None

    def status(self) -> dict[str, Any]:
        """Return counters, queue depth, and median and 95th percentile of call times (queue included)."""
        with self._ready:
            spans = sorted(self._spans_ms)
            running = sum(1 for thread in self._threads if thread.job is not None)
            return {
                "counters": dict(self._counts),
                "queue_depth": len(self._waiting),
                "queue_size": self._queue_size,
                "workers": len(self._threads),
                "running": running,
                "p50_ms": _percentile(spans, 0.50),
                "p95_ms": _percentile(spans, 0.95),
            }


def _run_job(job: _Job) -> None:
    """Run a job to its end, inside a greenlet."""
    try:
        job.value = job.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
        job.error = error
    except BaseException as error:  # noqa: BLE001 - SystemExit in a greenlet would end the daemon
        job.error = RuntimeError(f"{type(error).__name__} in a call")
        job.error.__cause__ = error


def _percentile(ordered: list[float], share: float) -> float | None:
    """Return the nearest-rank percentile of sorted values, or None if there are none."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)
