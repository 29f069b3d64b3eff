"""Where the daemon listens: one daemon for each endpoint, and no socket taken from a living one.

zmq by itself replaces whatever lies at an ipc path, a living daemon's socket too. So the right to
the path is a lock on PATH.lock, and what lies at the path is looked at only by the lock's holder.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import zmq

from face_det.errors import AlreadyRunning
from face_det.rpc.address import Endpoint, endpoint_error

SOCKET_UMASK = 0o117
"""Of the socket: only its owner and group may call."""


@contextlib.contextmanager
def hold_endpoint(endpoint: Endpoint) -> Iterator[None]:
    """Hold the right to an endpoint; at the end nothing of it is left behind.

    AlreadyRunning if another daemon holds it, ConfigError if no socket can be made there. A tcp
    port needs no lock: the kernel gives it to one process.
    """
    if endpoint.path is None:
        yield
        return
    folder = endpoint.path.parent
    if not folder.is_dir():
        raise endpoint_error(f"must be in a folder that exists, got {endpoint.path}; make {folder} first")
    marker = Path(f"{endpoint.path}.lock")
    lock = filelock.FileLock(marker, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise _already_running(endpoint, f"pid {_pid_in(marker)}") from error
    except OSError as error:
        raise endpoint_error(f"{marker} must be ours to lock, got {error.strerror}") from error
    try:
        marker.write_text(f"{os.getpid()}\n", "ascii")
        _remove_leftovers(endpoint, endpoint.path)
        yield
        if endpoint.path.is_socket():
            endpoint.path.unlink(missing_ok=True)
    finally:
        # Gone before it is unlocked: whoever has it open by then sees that and starts over.
        marker.unlink(missing_ok=True)
        lock.release()


def bind_endpoint(endpoint: Endpoint, listen: Callable[[str], None]) -> None:
    """Call `listen` with the address as zmq wants it, and put its errors into our words."""
    old = os.umask(SOCKET_UMASK)
    try:
        listen(endpoint.text if endpoint.path is not None else _numeric(endpoint))
    except zmq.ZMQError as error:
        if error.errno == errno.EADDRINUSE:
            raise _already_running(endpoint, "another process listens there") from error
        raise endpoint_error(f"cannot listen on {endpoint.text}: {error.strerror}") from error
    finally:
        os.umask(old)


def _remove_leftovers(endpoint: Endpoint, path: Path) -> None:
    """Remove what a killed daemon left, or the empty file that the original had its users make."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISSOCK(found.st_mode):
        pid = _listener(path)
        if pid is not None:
            raise _already_running(endpoint, f"pid {pid}")
    elif not stat.S_ISREG(found.st_mode) or found.st_size > 0:
        kind = f"a file of {found.st_size} bytes" if stat.S_ISREG(found.st_mode) else "something else"
        raise endpoint_error(
            f"{path} must be a socket or free, got {kind}; move it away or choose another path"
        )
    try:
        path.unlink()
    except OSError as error:
        raise endpoint_error(f"{path} is in the way and must be removable, got {error.strerror}") from error


def _listener(path: Path) -> int | None:
    """The process that listens on a socket (0: cannot be told); None if nobody does any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(path))
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except OSError:
            return 0
    pid, _, _ = struct.unpack("3i", credentials)
    return int(pid)


def _pid_in(marker: Path) -> str:
    with contextlib.suppress(OSError, ValueError):
        return str(int(marker.read_text("ascii")))
    return "unknown"


def is_reachable_from_outside(endpoint: Endpoint) -> bool:
    """Whether other machines could connect: tcp on any address but the loopback's."""
    if endpoint.path is not None:
        return False
    host = _host(endpoint)
    return host == "*" or not ipaddress.ip_address(host).is_loopback


def _host(endpoint: Endpoint) -> str:
    """The host in numbers, or the * that stands for all."""
    host = endpoint.host
    if host == "*":
        return host
    try:
        found = socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise endpoint_error(f"host {host!r} must be an address of this machine, got {why}") from error
    # IPv4 first: it is what clients try that say "localhost".
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


def _numeric(endpoint: Endpoint) -> str:
    """The address with numbers for the host's name, which is all that zmq can listen on."""
    host = _host(endpoint)
    return f"tcp://[{host}]:{endpoint.port}" if ":" in host else f"tcp://{host}:{endpoint.port}"


def _already_running(endpoint: Endpoint, by: str) -> AlreadyRunning:
    return AlreadyRunning(f"{endpoint.text}: must be free, but a daemon is running ({by}); stop it first")
