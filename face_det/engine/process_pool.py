"""Processes that look at pictures: starting them, lending them out, replacing those that have died.

Each has a thread here that starts it, waits for its end, and starts the next. Who wants a view looked
at borrows one. How they are spoken to stands in isolated.py.
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
from face_det.engine.engine import EngineOptions
from face_det.engine.isolated_process import StartRequest, ViewRequest
from face_det.errors import ConfigError, FaceDetError
from face_det.types import Rgb

log = logging.getLogger(__name__)

PROGRAM = "from face_det.engine.isolated_process import main; main()"
VIEW_TIMEOUT_S = 300.0
"""A process that is longer at one view hangs, and is ended."""
MAX_FAILED_STARTS = 3
"""After so many processes in a row that end before they are ready, calls are told."""
RESTART_PAUSE_S = 1.0
"""Between two such."""


class ProcessDied(Exception):
    """The process ended. `killed`: by kill -9, which is hardly ever the doing of what it was given, but
    somebody's hand, or the kernel's for want of memory."""

    def __init__(self, how: str, *, killed: bool = False) -> None:
        super().__init__(how)
        self.killed = killed


class EngineProcess:
    """One process, ready for one view at a time; OSError if the system has no room for it."""

    def __init__(self, start: StartRequest) -> None:
        self._start = start
        self._ended = False
        self.recycled = False
        self.rss_mb = 0.0
        ours, theirs = socket.socketpair()
        with ours, theirs, _signals_blocked():
            command = [sys.executable, "-c", PROGRAM, str(theirs.fileno())]
            # Modules are looked for in the current folder, too: one that nobody else writes to.
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), cwd="/"
            )
            self._connection = Connection(ours.detach())
        self.pid = self._popen.pid

    def begin(self) -> None:
        """Wait until it is ready; Died, or what its networks raise."""
        self._ask(self._start)

    def look(self, options: EngineOptions, rgb: Rgb | None) -> dict[str, Any]:
        """What it says of a view; Died if it ends over it. Without a view, what its networks are."""
        if rgb is None:
            return self._ask(ViewRequest(options, None))
        return self._ask(ViewRequest(options, rgb.shape), np.ascontiguousarray(rgb).data.cast("B"))

    def _ask(self, question: StartRequest | ViewRequest, pixels: memoryview | None = None) -> dict[str, Any]:
        try:
            self._connection.send(question)
            if pixels is not None:
                self._connection.send_bytes(pixels)
            if not self._connection.poll(VIEW_TIMEOUT_S):
                raise ProcessDied(f"took longer than {VIEW_TIMEOUT_S:.0f} s")
            answer: dict[str, Any] = msgpack.unpackb(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            # Its status is settled by the time that its end of the socket closes: this changes nothing.
            self.end()
            raise ProcessDied(type(error).__name__, killed=self.wait() == -signal.SIGKILL) from error
        self.rss_mb = answer.get("rss_mb", 0.0)
        if "error" in answer:
            kind = getattr(errors, answer["error"])
            raise kind([answer["message"]] if kind is ConfigError else answer["message"])
        if "fault" in answer:
            raise RuntimeError(f"process {self.pid}: {answer['fault']}")
        return answer

    @property
    def alive(self) -> bool:
        """Whether it can be lent out."""
        return not self._ended and self._popen.poll() is None

    def end(self) -> None:
        """Kill it; `wait` sees that."""
        self._ended = True
        self._popen.kill()

    def wait(self) -> int:
        """Its exit status, once it has ended."""
        return self._popen.wait()

    def close(self) -> None:
        """Nothing more is said to it."""
        self._connection.close()


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """What is started meanwhile never takes the signals that a terminal or a service manager sends to
    all processes: it ends when we have ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class ProcessSlots:
    """The processes, and which of them are free. `keep` runs in a thread for each."""

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

    def keep(self) -> None:
        """One process after the other, until all is closed."""
        failures = 0
        while not self._closed:
            if self._run():
                failures = 0
                continue
            failures += 1
            if failures >= MAX_FAILED_STARTS:
                self._fail(FaceDetError("isolation: must start processes, which end at once; see the log"))
            time.sleep(RESTART_PAUSE_S)

    def _run(self) -> bool:
        """One process, from its start to its end; whether it was of use."""
        try:
            process = EngineProcess(self.start)
        except OSError as error:
            log.error("cannot start a process for pictures: %s", error)
            return False
        with self.changed:
            self._starting.add(process)
            if self._closed:
                process.end()
        ready = self._begun(process)
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
        log.warning("process %d for pictures has ended: %s", process.pid, name)
        return ready

    def _begun(self, process: EngineProcess) -> bool:
        try:
            process.begin()
        except ProcessDied:
            process.end()
            return False
        except FaceDetError as error:
            process.end()
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

    def borrowed(self) -> EngineProcess:
        """A free process, waited for; FaceDetError if none can be started."""
        with self.changed:
            while not self._free:
                if self._fault is not None and not self._ready:
                    raise FaceDetError(str(self._fault)) from self._fault
                self.changed.wait()
            return self._free.popleft()

    def given_back(self, process: EngineProcess) -> None:
        """Free again, unless it has died or grown too large."""
        with self.changed:
            if not process.alive:
                return process.close()
            if self._memory_mb and process.rss_mb > self._memory_mb:
                log.info("process %d for pictures is replaced: %.0f MB", process.pid, process.rss_mb)
                self.counts["recycled"] += 1
                process.recycled = True
                process.end()
                return process.close()
            self._free.append(process)
            self.changed.notify()
        return None

    def pids(self) -> list[int]:
        """Of those that are ready."""
        with self.changed:
            return sorted(self._ready)

    def close(self) -> None:
        """End all processes, now."""
        with self.changed:
            self._closed = True
            for process in (*self._starting, *self._ready.values()):
                process.end()


BUILD_ENGINE = "face_det.engine.engine:build_engine"
MAX_CRASHES = 2
"""Processes that may crash over a view."""
MAX_KILLS = 5
"""Processes that may be killed (SIGKILL) over a view, before it is taken for the reason."""


class ProcessPool:
    """`size` processes that look at views. They end when it is let go of, or the daemon ends."""

    def __init__(self, options: EngineOptions, size: int, memory_mb: int, build: str = BUILD_ENGINE) -> None:
        path = tuple(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - "" is the folder we are in
        self._slots = ProcessSlots(StartRequest(options, build, path, ()), memory_mb)
        self._end = weakref.finalize(self, self._slots.close)
        for index in range(size):
            threading.Thread(target=self._slots.keep, name=f"keeper-{index}", daemon=True).start()

    def loaded(self, options: EngineOptions) -> dict[str, Any]:
        """Have an embedder loaded, by new processes from the start; its fingerprint and runtime."""
        try:
            answer = self.look(options, None)
        except ProcessDied as error:
            raise FaceDetError(
                "isolation: must load the networks, which ends the process; see the log"
            ) from error
        slots = self._slots
        with slots.changed:
            embedders = tuple(dict.fromkeys((*slots.start.embedders, options.embedder)))
            slots.start = replace(slots.start, embedders=embedders)
        return answer

    def look(self, options: EngineOptions, rgb: Rgb | None) -> dict[str, Any]:
        """What a process says of a view; Died if it has ended as many as it may."""
        tries = kills = 0
        while True:
            process = self._slots.borrowed()
            # One that died while it was free is nobody's fault.
            blamed = process.alive
            try:
                answer = process.look(options, rgb)
            except ProcessDied as error:
                process.end()
                tries += blamed and not error.killed
                kills += blamed and error.killed
                if tries == MAX_CRASHES or kills == MAX_KILLS:
                    raise
                continue
            finally:
                self._slots.given_back(process)
            return answer

    def status(self) -> dict[str, Any]:
        """Which processes there are, and how many died or were replaced."""
        return {"pids": self._slots.pids(), **self._slots.counts}
