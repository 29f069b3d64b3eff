"""Runs commands of face-det in processes of their own, for callers: what takes long, or knows more rooms."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore

from face_det.errors import BadRequest, Busy, FaceDetError
from face_det.storage import make_folder, read_if_present, report_write_errors, write_atomically

log = logging.getLogger(__name__)

EVALUATION_NAME = "evaluation.json"
EVALUATION_CACHE = "evaluation.cache.sqlite"
EVALUATION_NICE = 10
"""It slows calls by a tenth of a core at most, and still ends on a machine that is always busy."""
DOCTOR_LIMIT_S = 300.0
DOCTOR_FRESH_S = 300.0
"""An answer of `doctor` is given again for so long."""
MAX_REPORT_BYTES = 2**26
_PROGRESS = re.compile(r"(\S.*): (\d+) of (\d+)")
_FLAGS = {"people": "--people", "enrol": "--enrol", "seed": "--seed"}
_SWITCHES = {"compare": "--compare", "degrade": "--degrade"}

CommandLine = Callable[..., list[str]]


def command_line(config_path: Path | None) -> CommandLine:
    """Return what makes the command line of `face-det COMMAND ARGUMENT...` with this configuration.

    >>> command_line(Path("/etc/c.json"))("doctor", "--json")[1:]
    ['-m', 'face_det.cli.main', 'doctor', '--config', '/etc/c.json', '--json']
    """
    config = [] if config_path is None else ["--config", str(config_path)]

    def line(command: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "face_det.cli.main", command, *config, *arguments]

    return line


class Doctor:
    """Answers `doctor` for the greenlets of the main thread; one process at a time."""

    def __init__(self, line: CommandLine) -> None:
        self._line = line
        self._turn = BoundedSemaphore(1)
        self._last: dict[str, Any] | None = None

    def check(self) -> dict[str, Any]:
        """Return what `face-det doctor --json` says, and when it said so; at most some minutes old."""
        with self._turn:
            last = self._last
            if last is None or not 0 <= time.time() - last["at"] < DOCTOR_FRESH_S:
                at = time.time()
                checks = gevent.get_hub().threadpool.apply(self._run)
                self._last = last = {"at": at, "checks": checks}
        return last

    def _run(self) -> Any:
        with _start(self._line("doctor", "--json")) as process:
            try:
                output, complaint = process.communicate(timeout=DOCTOR_LIMIT_S)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise Busy(f"doctor: took longer than {DOCTOR_LIMIT_S:g} s; try again") from error
        try:
            return json.loads(output)
        except ValueError as error:
            raise FaceDetError(f"doctor: ended without an answer: {_last_line(complaint)}") from error


class Evaluation:
    """Runs `face-det evaluate` in the background, one at a time, and keeps the last report. Thread-safe."""

    def __init__(self, line: CommandLine, state: Callable[[], Path]) -> None:
        self._line = line
        self._state = state
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._running = self._cancelled = False
        self._step: str | None = None
        self._done = self._total = 0
        self._started: float | None = None
        self._error: str | None = None

    def start(self, options: object) -> dict[str, Any]:
        """Start an evaluation, and return what `status` says. Raises BadRequest, and Busy if one runs."""
        flags, given = _flags(options)
        folder = self._state()
        with report_write_errors(folder, "it must be a writable folder"):
            make_folder(folder)
        with self._lock:
            if self._running:
                raise Busy("evaluate: an evaluation is already running; status() shows its progress")
            self._running, self._cancelled = True, False
            self._step, self._done, self._total = "beginning", 0, 0
            self._started, self._error = time.time(), None
        cache = str(folder / EVALUATION_CACHE)
        line = self._line("evaluate", "--json", "--jobs", "1", "--cache", cache, *flags)
        threading.Thread(target=self._run, args=(line, folder, given), name="evaluation", daemon=True).start()
        return self.status()

    def status(self) -> dict[str, Any]:
        """Return whether one runs, how far it is, and the error of the last one."""
        with self._lock:
            return {
                "running": self._running,
                "step": self._step if self._running else None,
                "done": self._done if self._running else 0,
                "total": self._total if self._running else 0,
                "started": self._started,
                "error": self._error,
            }

    def report(self) -> dict[str, Any] | None:
        """Return the last report, when it was made and with which options; None if there is none."""
        data = read_if_present(self._state() / EVALUATION_NAME, MAX_REPORT_BYTES)
        if data is None:
            return None
        try:
            found: dict[str, Any] = json.loads(data)
        except ValueError:
            log.warning("%s: is damaged; evaluate again", self._state() / EVALUATION_NAME)
            return None
        return found

    def cancel(self) -> None:
        """End the evaluation that is running, without a report: it may know somebody who was forgotten."""
        with self._lock:
            self._cancelled = True
            if self._process is not None:
                self._process.kill()

    def _run(self, line: list[str], folder: Path, options: Mapping[str, Any]) -> None:
        error: str | None = None
        try:
            with _start(line) as process:
                with contextlib.suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, process.pid, EVALUATION_NICE)
                with self._lock:
                    self._process = process
                    if self._cancelled:
                        process.kill()
                complaints = threading.Thread(target=self._follow, args=(process,), daemon=True)
                complaints.start()
                assert process.stdout is not None
                output = process.stdout.read()
                complaints.join()
            with self._lock:
                if self._cancelled:
                    error = "ended, because somebody was forgotten or the daemon stopped"
                elif process.returncode != 0:
                    error = self._error or f"ended with status {process.returncode}"
                else:
                    kept = {"at": time.time(), "options": dict(options), "report": json.loads(output)}
                    write_atomically(folder / EVALUATION_NAME, json.dumps(kept).encode())
        except (OSError, ValueError, FaceDetError) as problem:
            error = f"{type(problem).__name__}: {problem}"
        finally:
            with self._lock:
                self._running, self._process, self._error = False, None, error

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        """Read what the command says: how far it is and, at last, what went wrong."""
        assert process.stderr is not None
        for raw in process.stderr:
            text = raw.decode("utf-8", "replace").strip()
            found = _PROGRESS.fullmatch(text)
            with self._lock:
                if found:
                    self._step, self._done, self._total = found[1], int(found[2]), int(found[3])
                elif text:
                    self._error = text.removeprefix("face-det: ")[:500]


def _start(line: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "it said nothing")


def _flags(options: object) -> tuple[list[str], dict[str, Any]]:
    """Return the flags for `face-det evaluate`, and the options; raise BadRequest."""
    given = {} if options is None else options
    if not isinstance(given, Mapping):
        raise BadRequest(f"options: must be an object, got {type(given).__name__}")
    flags: list[str] = []
    for key, value in given.items():
        if key in _FLAGS:
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**6:
                raise BadRequest(f"options.{key}: must be a whole number, got {value!r:.60}")
            flags += [_FLAGS[key], str(value)]
        elif key in _SWITCHES:
            if not isinstance(value, bool):
                raise BadRequest(f"options.{key}: must be true or false, got {value!r:.60}")
            flags += [_SWITCHES[key]] * value
        else:
            menu = ", ".join((*_FLAGS, *_SWITCHES))
            raise BadRequest(f"options.{key!s:.40}: unknown; must be one of: {menu}")
    return flags, dict(given)
