"""Starts programs, passes their log lines on, and ends all of them when one ends or when told to."""

from __future__ import annotations

import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

GRACE_S = 60.0
"""How long a program may take to stop before it is killed."""

_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: a name for its log lines, and a command."""

    name: str
    command: Sequence[str]


def run_programs(programs: Sequence[Program], environ: Mapping[str, str], log: BinaryIO | None = None) -> int:
    """Run programs until one ends, or SIGINT or SIGTERM comes; then end the others, the last one first.

    Each line of their stderr goes to `log` (stderr by default) with the program's name before it. Returns 0
    after a signal, else the exit status of the program that ended first, 1 in place of 0.
    """
    out = sys.stderr.buffer if log is None else log
    with _stop_signals() as stop, selectors.DefaultSelector() as ready:
        ready.register(stop, selectors.EVENT_READ)
        children: list[_Child] = []
        try:
            for program in programs:
                children.append(_Child(program, environ))
                ready.register(children[-1].stderr, selectors.EVENT_READ, children[-1])
            first = _pass_on_until_one_ends(ready, out)
        finally:
            for child in reversed(children):
                child.end(out)
    return 0 if first is None else (first.status or 1)


class _Child:
    """A running program and the line that it has begun to log."""

    def __init__(self, program: Program, environ: Mapping[str, str]) -> None:
        self._prefix = f"{program.name:8}| ".encode()
        # A session of its own: a Ctrl-C in the terminal reaches us alone, and we choose the order.
        self._process = subprocess.Popen(
            program.command, env=dict(environ), stderr=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stderr is not None
        self.stderr = self._process.stderr
        self._line = b""

    @property
    def status(self) -> int:
        """The exit status; waits for the end."""
        return self._process.wait()

    def pass_on(self, out: BinaryIO) -> bool:
        """Write the lines that are complete; return False at the end of the program's log."""
        text = self.stderr.read1(_CHUNK)  # type: ignore[attr-defined]
        *lines, self._line = (self._line + text).split(b"\n")
        if not text and self._line:
            lines.append(self._line)
        for line in lines:
            out.write(self._prefix + line + b"\n")
        out.flush()
        return bool(text)

    def end(self, out: BinaryIO) -> None:
        """Stop the program and pass on what it still logs."""
        self._process.terminate()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        while self.pass_on(out):
            pass
        self._process.wait()
        self.stderr.close()


def _pass_on_until_one_ends(ready: selectors.BaseSelector, out: BinaryIO) -> _Child | None:
    """Return the program that ended, or None after a signal."""
    while True:
        for key, _ in ready.select():
            child: _Child | None = key.data
            if child is None:
                return None
            if not child.pass_on(out):
                return child


@contextmanager
def _stop_signals() -> Iterator[socket.socket]:
    """Turn SIGINT and SIGTERM into a byte that can be read from a socket."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    old = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(old)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        reader.close()
        writer.close()
