"""Starts, and surely ends, the processes in which cv2 decodes and encodes.

A process is given two descriptors: a socket, over which plain JSON goes both ways, and memory that both
processes see, for pixels. It receives no signals from a terminal, and ends as soon as the other end of the
socket is closed, so it cannot outlive its caller, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from typing import Any

LOG_BYTES = 65_536
"""What a process writes to stderr beyond this is lost."""
_SEALS = getattr(fcntl, "F_ADD_SEALS", 1033)
_SEAL_SHRINK = getattr(fcntl, "F_SEAL_SHRINK", 2)


class ChildEnded(Exception):
    """The process ended, or did not answer in time; the message says how, in a few words."""


class Child:
    """A process that runs `module`'s `main(connection, memory)`, where `memory` is a descriptor."""

    def __init__(self, module: str, grace_s: float = 0.0) -> None:
        """Start it; it imports what it needs, then waits for a request.

        When this end is closed, it has `grace_s` to finish before it is killed. Raises OSError if the
        system has no room for a process.
        """
        # Shrinking is sealed off: a process taken over by a hostile video could crash its caller otherwise.
        self.memory = os.memfd_create("face_det video", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        fcntl.fcntl(self.memory, _SEALS, _SEAL_SHRINK)
        self._map: mmap.mmap | None = None
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            with ours, theirs, _signals_blocked():
                # Its modules are found where ours are.
                program = "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
                program += f"from {module} import main; main()"
                path = json.dumps([os.path.abspath(entry) for entry in sys.path])  # noqa: PTH100
                self._popen = subprocess.Popen(
                    [sys.executable, "-c", program, str(theirs.fileno()), str(self.memory), path],
                    stdin=subprocess.DEVNULL,
                    stdout=writing,  # FFmpeg writes there what it has to say
                    stderr=writing,
                    pass_fds=(theirs.fileno(), self.memory),
                    # Python also searches the current folder for modules: use one that nobody can write to.
                    cwd="/",
                )
                self._connection = Connection(ours.detach())
        except BaseException:
            os.close(self.memory)
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._stderr = reading
        self.close = weakref.finalize(
            self, _end, self._popen, self._connection, (self.memory, self._stderr), grace_s
        )

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; one that cannot arrive any more is lost, and `receive` tells."""
        with suppress(OSError):
            self._connection.send_bytes(json.dumps(message).encode())

    def send_descriptor(self, descriptor: int) -> None:
        """Send an open file, which stays open there whatever becomes of it here."""
        with suppress(OSError):
            send_handle(self._connection, descriptor, self.pid)

    def receive(self, timeout_s: float) -> dict[str, Any]:
        """Return the next message. Raises ChildEnded, after which the process is no more."""
        try:
            if not self._connection.poll(timeout_s):
                raise ChildEnded(f"nothing came within {timeout_s:g} s")
            message: dict[str, Any] = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError):
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout_s)
            raise ChildEnded(_describe_status(self._popen.poll())) from None
        return message

    def view(self, length: int) -> mmap.mmap:
        """Return the shared memory, at least `length` bytes; the process must have made it so large."""
        if self._map is None or len(self._map) < length:
            size = os.fstat(self.memory).st_size
            if size < length:
                raise ChildEnded("its process sent nonsense")
            self._map = mmap.mmap(self.memory, size)
        return self._map

    def read_log(self) -> str:
        """Return what the process has written to stderr so far."""
        os.set_blocking(self._stderr, False)
        try:
            return os.read(self._stderr, LOG_BYTES).decode("utf-8", "replace")
        except BlockingIOError:
            return ""

    @property
    def runs(self) -> bool:
        """True while the process has not ended."""
        return self._popen.poll() is None

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._popen.pid


def _end(
    popen: subprocess.Popen[bytes], connection: Connection, descriptors: Sequence[int], grace_s: float
) -> None:
    """Kill and reap the process, after `grace_s` if it does not end before, and close everything of ours."""
    connection.close()
    if grace_s:
        with suppress(subprocess.TimeoutExpired):
            popen.wait(grace_s)
    popen.kill()
    popen.wait()
    for descriptor in descriptors:
        os.close(descriptor)


def _describe_status(status: int | None) -> str:
    if status is None:
        return "its process stopped answering"
    if status >= 0:
        return f"its process ended with {status}"
    return f"its process was ended by {signal.Signals(-status).name}"


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals for processes started meanwhile: a terminal sends Ctrl-C to all processes."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
