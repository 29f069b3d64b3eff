"""Starts Python programs in forks of a process that has imported the packages already.

Hundreds of tests start a daemon, a gateway or a command, and each would spend a second on imports.
What is started here is a process of its own all the same, with its own arguments, environment, files and
signals. Where a test is about the start itself, use subprocess.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["forked_imports"])
_FIXED_AT_IMPORT = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHON")
"""What libraries, and Python itself, read from the environment only once."""


def _start_server() -> None:
    """Start the process that is forked, unless it runs."""
    # Before Python 3.13, it looks for the modules to import only on the path of a fresh interpreter.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *filter(None, [before])])
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


class Forked:
    """A running program; of `subprocess.Popen`, what tests of daemons need.

    `argv` begins with `sys.executable`, and goes on with a script, `-m MODULE` or `-c CODE`. Without `stderr`
    or `stdout` it has those of the tests.
    """

    def __init__(
        self,
        argv: Sequence[Any],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Any = None,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = None,
        stderr: Any = None,
    ) -> None:
        interpreter, *self.args = map(os.fspath, argv)
        assert interpreter == sys.executable, argv
        environ = dict(os.environ if env is None else env)
        assert all(
            environ.get(name) == os.environ.get(name)
            for name in {*environ, *os.environ}
            if name.startswith(_FIXED_AT_IMPORT)
        )
        with Path(os.devnull).open("r+b") as nothing:
            files = [
                DupFd((nothing if file == subprocess.DEVNULL else file or own).fileno())
                for file, own in ((stdin, nothing), (stdout, _Own(1)), (stderr, _Own(2)))
            ]
            _start_server()
            self._process = _CONTEXT.Process(
                target=_run, args=(self.args, environ, os.fspath(cwd or Path.cwd()), files), daemon=True
            )
            self._process.start()
            # Tests look at the processes that their code has started, and this is none of them.
            multiprocessing.process._children.discard(self._process)  # type: ignore[attr-defined]
        self.pid = self._process.pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """Return its exit status, once there is one; that of a signal is negative."""
        if self._status is None:
            self._status = self._process.exitcode
            if self._status is not None:
                self._process.close()
        return self._status

    @property
    def returncode(self) -> int | None:
        """Its exit status, once there is one."""
        return self.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; its exit status."""
        if self._status is None:
            self._process.join(timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self.send_signal(signal.SIGKILL)


class _Own:
    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        return self._number


def run(
    argv: Sequence[Any], *, check: bool = False, timeout: float | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as subprocess.run does with captured output as text."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        program = Forked(argv, **{"stdout": out, "stderr": errors, **options})
        try:
            status = program.wait(timeout)
        finally:
            program.kill()
        told = []
        for file in (out, errors):
            file.seek(0)
            told.append(file.read().decode("utf-8", "backslashreplace"))
    done = subprocess.CompletedProcess(list(argv), status, *told)
    if check:
        done.check_returncode()
    return done


def _run(args: list[str], environ: dict[str, str], folder: str, files: list[Any]) -> None:
    """Become the program, in the fork."""
    for number, file in enumerate(files):
        descriptor = file.detach()
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), _writer(1), _writer(2)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # It may have children of its own.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    try:
        _run_python(*args)
    finally:
        atexit._run_exitfuncs()


def _writer(number: int) -> Any:
    errors = "backslashreplace" if number == 2 else "strict"
    return open(number, "w", closefd=False, errors=errors, buffering=1 if number == 2 else -1)


def _run_python(first: str, *rest: str) -> None:
    """Run what the arguments of a Python name."""
    if first == "-m":
        sys.argv = list(rest)
        sys.path.insert(0, str(Path.cwd()))
        sys.modules.pop(rest[0], None)  # a program is not one of the imported modules
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = [first, *rest]
        sys.path.insert(0, str(Path(first).parent))
        runpy.run_path(first, run_name="__main__")
