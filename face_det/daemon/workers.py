"""Native threads behind a bounded queue, awaited from greenlets.

The hub must stay free to send heartbeats, so nothing that computes runs on it: a greenlet hands
its work over with `submit` and sleeps; the thread hands the result back through the hub's loop.

Nobody's batch keeps the others waiting: clients have their turns in a ring. A long job calls
`give_way` between two persons; it then waits, half done, for its client's next turn. For that each
job is a greenlet of its thread (greenlets that gevent knows nothing of).
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

from face_det.daemon.fair_queue import FairQueue
from face_det.engine import Budget
from face_det.errors import Busy
from face_det.rpc import CURRENT_CLIENT

T = TypeVar("T")

WINDOW = 512
"""How many of the last calls the percentiles are taken over."""
BEAT_S = 0.5
"""How often a thread that waits for a job says that it is there."""
MAX_SILENCE_S = 10.0
"""A waiting thread that has not said so for longer hangs: nobody is that long without the interpreter."""


def give_way() -> None:
    """In a job: let the others have their turn, and return with the next one of ours."""
    parent = greenlet.getcurrent().parent
    if isinstance(threading.current_thread(), _Thread) and parent is not None:
        parent.switch()


@dataclass(eq=False)
class _Job:
    """One submitted call; the thread that runs it writes `value` or `error`, then the hub sets `done`."""

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
    """A native thread, and the job it is at since `since`; where there is none, when it last said so.

    It is a daemon: one that hangs does not keep the process alive.
    """

    def __init__(self, work: Callable[[_Thread], None], name: str) -> None:
        super().__init__(target=work, args=(self,), name=name, daemon=True)
        self.job: _Job | None = None
        self.since = time.monotonic()


class Workers:
    """`threads` native threads and a queue of `queue_size`; make it, start it and submit on one hub."""

    def __init__(self, threads: int, queue_size: int, *, name: str = "worker") -> None:
        self._queue_size = queue_size
        self._loop = gevent.get_hub().loop
        # While all greenlets wait for threads, this keeps the loop from concluding that nothing can happen.
        self._keep_alive = self._loop.async_()
        self._ready = threading.Condition()
        self._waiting: FairQueue[_Job] = FairQueue()
        self._threads = [_Thread(self._work, f"{name}-{index}") for index in range(threads)]
        self._unfinished = 0
        self._idle = Event()
        self._idle.set()
        self._refusal: str | None = None
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
        """What `run()` returns or raises, computed on a thread; blocks only the calling greenlet.

        Busy at once if the queue is full or closed. `limit_s` is how long it may run without giving way
        before the thread counts as stuck; `notes` gains `queue_ms`. If the greenlet is killed while it
        waits here, a job that has not begun never will, and its place in the queue is free again; one
        that has begun finds its `budget` cancelled.
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
            job.greenlet.switch(job)
            with self._ready:
                # In this order, for `stuck` looks without the lock.
                thread.since = time.monotonic()
                thread.job = None
                if not job.greenlet.dead:
                    # The first of its client's line again, and the client the last of the ring.
                    self._waiting.put_back(job.client, job)
                    continue
                self._spans_ms.append((time.monotonic() - job.submitted) * 1000)
                self._counts["done" if job.error is None else "failed"] += 1
            self._loop.run_callback_threadsafe(self._deliver, job)
            # While this thread waits for the next job it must not keep the pictures of this one.
            del job

    def _next(self, thread: _Thread) -> _Job:
        """The job whose turn it is: one that nobody has begun, or that this thread has."""
        with self._ready:
            while (job := self._waiting.take(lambda job: job.thread in (None, thread))) is None:
                thread.since = time.monotonic()
                self._ready.wait(BEAT_S)
            thread.since = time.monotonic()
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
        """Refuse new jobs, and those still waiting, with Busy(reason); the running ones go on."""
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
        """Wait until no job is waiting or running; whether that came true in time."""
        return bool(self._idle.wait(timeout_s))

    def stuck(self) -> str | None:
        """Which thread has died, is longer at a job than its limit, or waits for none and gives no sign."""
        for thread in self._threads:
            job = thread.job
            silent_s = time.monotonic() - thread.since
            if not thread.is_alive():
                return f"{thread.name} has died"
            if job is None and silent_s > MAX_SILENCE_S:
                return f"{thread.name} is idle, and has given no sign for {silent_s:.0f} s"
            if job is not None and silent_s > job.limit_s:
                return f"{thread.name} has been at one call for {silent_s:.0f} s"
        return None

    def status(self) -> dict[str, Any]:
        """Counters, queue depth, and the median and 95th percentile of a call's time, queue included."""
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
    """Run a job to its end; in a greenlet."""
    try:
        job.value = job.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
        job.error = error
    except BaseException as error:  # noqa: BLE001 - SystemExit in a greenlet would end the daemon
        job.error = RuntimeError(f"{type(error).__name__} in a call")
        job.error.__cause__ = error


def _percentile(ordered: list[float], share: float) -> float | None:
    """Nearest-rank percentile; None of nothing."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)
