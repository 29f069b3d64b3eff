"""The processes of an isolated engine: starting them, lending them out, replacing those that have died.

Each process has a keeper thread here that starts it, waits for its end, and starts the next one. A caller
borrows a process to have a view processed. engine_process.py defines how they talk.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np

from face_det import errors
from face_det.budget import Budget
from face_det.engine.engine_process import StartRequest, ViewRequest
from face_det.engine.interface import EngineOptions
from face_det.errors import FaceDetError
from face_det.types import Rgb

log = logging.getLogger(__name__)

PROGRAM = "from face_det.engine.engine_process import main; main()"
BUILD_ENGINE = "face_det.engine.engine:build_engine"
VIEW_TIMEOUT_S = 300.0
"""A process that takes longer over a view counts as hung and is killed."""
MAX_FAILED_STARTS = 3
"""After this many processes in a row have ended before they were ready, calls fail."""
RESTART_PAUSE_S = 1.0
"""The pause between two such starts."""
MAX_CRASHES = 2
"""Processes that may crash on a view before it is given up."""
MAX_KILLS = 5
"""Processes that may be killed (SIGKILL) on a view before the view is blamed."""


class ProcessDied(Exception):
    """The process ended.

    `killed` means by SIGKILL, which an input hardly ever causes: a person sent it, or the kernel did for lack
    of memory.
    """

    def __init__(self, how: str, *, killed: bool = False) -> None:
        super().__init__(how)
        self.killed = killed


class EngineProcess:
    """A process that handles one view at a time; OSError if the system has no room for it."""

    def __init__(self, start: StartRequest) -> None:
        self._start = start
        self._ended = False
        self.recycled = False
        self.rss_mb = 0.0
        ours, theirs = socket.socketpair()
        with ours, theirs, _signals_blocked():
            command = [sys.executable, "-c", PROGRAM, str(theirs.fileno())]
            # Python also searches the current folder for modules: use one that nobody else can write to.
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), cwd="/"
            )
            self._connection = Connection(ours.detach())
        self.pid = self._popen.pid

    def wait_until_ready(self) -> None:
        """Wait until the networks are loaded; raises ProcessDied, or what loading them raises."""
        self._ask(self._start)

    def run(self, request: ViewRequest, rgb: Rgb | None, budget: Budget) -> dict[str, Any]:
        """Process a view as the request says, or without one only load and describe the networks.

        Raises ProcessDied if the process ends meanwhile.
        """
        if rgb is None:
            return self._ask(request)
        request = replace(request, seconds=budget.left())
        return self._ask(request, np.ascontiguousarray(rgb).data.cast("B"))

    def _ask(self, request: StartRequest | ViewRequest, pixels: memoryview | None = None) -> dict[str, Any]:
        try:
            self._connection.send(request)
            if pixels is not None:
                self._connection.send_bytes(pixels)
            if not self._connection.poll(VIEW_TIMEOUT_S):
                raise ProcessDied(f"took longer than {VIEW_TIMEOUT_S:.0f} s")
            answer: dict[str, Any] = msgpack.unpackb(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            # By the time its end of the socket closes, its exit status is settled: killing changes nothing.
            self.kill()
            raise ProcessDied(type(error).__name__, killed=self.wait() == -signal.SIGKILL) from error
        self.rss_mb = answer.get("rss_mb", 0.0)
        if "error" in answer:
            kind = getattr(errors, answer["error"])
            raise kind([answer["message"]] if kind is errors.ConfigError else answer["message"])
        if "fault" in answer:
            raise RuntimeError(f"process {self.pid}: {answer['fault']}")
        return answer

    @property
    def alive(self) -> bool:
        """True while the process can be lent out."""
        return not self._ended and self._popen.poll() is None

    def kill(self) -> None:
        """Kill the process; `wait` notices that."""
        self._ended = True
        self._popen.kill()

    def wait(self) -> int:
        """Wait for the end and return the exit status."""
        return self._popen.wait()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals for processes started meanwhile.

    They never receive the signals that a terminal or a service manager sends to all processes; they end
    when the daemon has ended.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class ProcessSlots:
    """The processes, and which of them are free. One thread per slot runs `keep_running`."""

    def __init__(self, start: StartRequest, memory_mb: int) -> None:
        self.start = start
        self.changed = threading.Condition()
        self.counts = {"crashed": 0, "recycled": 0}
        self._memory_mb = memory_mb
        self._free: deque[EngineProcess] = deque()
        self._ready: dict[int, EngineProcess] = {}
        self._starting: set[EngineProcess] = set()
        self._fault: FaceDetError | None = None
        self._closed = False

    def keep_running(self) -> None:
        """Start one process after another, until all are closed."""
        failures = 0
        while not self._closed:
            if self._run():
                failures = 0
                continue
            failures += 1
            if failures >= MAX_FAILED_STARTS:
                self._fail(FaceDetError("isolation: every process exits while it starts; see the log"))
            time.sleep(RESTART_PAUSE_S)

    def _run(self) -> bool:
        """Run one process from its start to its end; return whether it became ready."""
        try:
            process = EngineProcess(self.start)
        except OSError as error:
            log.error("cannot start an engine process: %s", error)
            return False
        with self.changed:
            self._starting.add(process)
            if self._closed:
                process.kill()
        ready = self._wait_until_ready(process)
        status = process.wait()
        with self.changed:
            self._starting.discard(process)
            self._ready.pop(process.pid, None)
            if process in self._free:
                self._free.remove(process)
            if process.recycled or self._closed:
                return ready
            self.counts["crashed"] += ready
        name = signal.Signals(-status).name if status < 0 else f"exit {status}"
        log.warning("engine process %d has ended: %s", process.pid, name)
        return ready

    def _wait_until_ready(self, process: EngineProcess) -> bool:
        try:
            process.wait_until_ready()
        except ProcessDied:
            process.kill()
            return False
        except FaceDetError as error:
            process.kill()
            self._fail(error)
            return False
        with self.changed:
            self._fault = None
            self._starting.discard(process)
            self._ready[process.pid] = process
            self._free.append(process)
            self.changed.notify()
        return True

    def _fail(self, error: FaceDetError) -> None:
        with self.changed:
            self._fault = error
            self.changed.notify_all()

    def borrow(self) -> EngineProcess:
        """Wait for a free process and take it; FaceDetError if none can be started."""
        with self.changed:
            while not self._free:
                if self._fault is not None and not self._ready:
                    raise FaceDetError(str(self._fault)) from self._fault
                self.changed.wait()
            return self._free.popleft()

    def give_back(self, process: EngineProcess) -> None:
        """Make a borrowed process free again, unless it has died or grown too large."""
        with self.changed:
            if not process.alive:
                return process.close()
            if self._memory_mb and process.rss_mb > self._memory_mb:
                log.info("engine process %d is replaced: %.0f MB", process.pid, process.rss_mb)
                self.counts["recycled"] += 1
                process.recycled = True
                process.kill()
                return process.close()
            self._free.append(process)
            self.changed.notify()
        return None

    def pids(self) -> list[int]:
        """Return the ids of the processes that are ready."""
        with self.changed:
            return sorted(self._ready)

    def close(self) -> None:
        """Kill all processes now."""
        with self.changed:
            self._closed = True
            for process in (*self._starting, *self._ready.values()):
                process.kill()


class ProcessPool:
    """`size` processes that process views. They end with the pool, or when the daemon ends."""

    def __init__(self, options: EngineOptions, size: int, memory_mb: int, build: str = BUILD_ENGINE) -> None:
        path = tuple(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - "" is the current folder
        self._slots = ProcessSlots(StartRequest(options, build, path, ()), memory_mb)
        self._end = weakref.finalize(self, self._slots.close)
        for index in range(size):
            threading.Thread(target=self._slots.keep_running, name=f"keeper-{index}", daemon=True).start()

    def load_networks(self, options: EngineOptions) -> dict[str, Any]:
        """Load an embedder, in new processes from their start on; return its fingerprint and runtime."""
        try:
            answer = self.run(ViewRequest(options, None), None)
        except ProcessDied as error:
            raise FaceDetError("isolation: loading the networks crashes the process; see the log") from error
        slots = self._slots
        with slots.changed:
            embedders = tuple(dict.fromkeys((*slots.start.embedders, options.embedder)))
            slots.start = replace(slots.start, embedders=embedders)
        return answer

    def run(self, request: ViewRequest, rgb: Rgb | None, budget: Budget | None = None) -> dict[str, Any]:
        """Have a process handle a view as the request says, while `budget` lasts.

        Raises ProcessDied once the view has crashed as many processes as it may.
        """
        budget = budget if budget is not None else Budget()
        crashes = kills = 0
        while True:
            process = self._slots.borrow()
            # If a process died while it was free, this view did not cause it.
            blamed = process.alive
            try:
                answer = process.run(request, rgb, budget)
            except ProcessDied as error:
                process.kill()
                crashes += blamed and not error.killed
                kills += blamed and error.killed
                if crashes == MAX_CRASHES or kills == MAX_KILLS:
                    raise
                continue
            finally:
                self._slots.give_back(process)
            return answer

    def status(self) -> dict[str, Any]:
        """Report the process ids, and how many processes crashed or were replaced."""
        return {"pids": self._slots.pids(), **self._slots.counts}
