"""Listens on an endpoint. Only one daemon may: a live daemon's socket is never taken over.

On its own, zmq replaces whatever is at an ipc path, even the socket of a live daemon. The right to the
path is therefore a lock on PATH.lock, and only the holder of the lock touches the path.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
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
"""The umask for the socket: only its owner and group may call."""


@contextlib.contextmanager
def hold_endpoint(endpoint: Endpoint) -> Iterator[None]:
    """Hold the right to an endpoint, and clean up at the end.

    Raises AlreadyRunning if another daemon holds it and ConfigError if no socket can be created there.
    A tcp port needs no lock, because the kernel gives it to one process only.
    """
    if endpoint.path is None:
        yield
        return
    folder = endpoint.path.parent
    if not folder.is_dir():
        raise endpoint_error(f"must be in a folder that exists, got {endpoint.path}; create {folder} first")
    marker = _lock_file(endpoint.path)
    lock = filelock.FileLock(marker, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise _already_running(endpoint, f"pid {_pid_in(marker)}") from error
    except OSError as error:
        raise endpoint_error(f"cannot lock {marker}: {error.strerror}") from error
    try:
        marker.write_text(f"{os.getpid()}\n", "ascii")
        _remove_leftovers(endpoint, endpoint.path)
        yield
        hide_endpoint(endpoint)
    finally:
        # Remove it before unlocking: a process that has it open by then notices and starts over.
        marker.unlink(missing_ok=True)
        lock.release()


def hide_endpoint(endpoint: Endpoint) -> None:
    """Remove the socket's name: whoever is connected stays so, and others wait for the next daemon.

    A client that finds no socket tries again until there is one. A tcp port has no name of its own; there the
    server turns newcomers away (`RpcServer.join`). Only the holder of the endpoint may call this.
    """
    if endpoint.path is not None and endpoint.path.is_socket():
        endpoint.path.unlink(missing_ok=True)


def is_endpoint_held(endpoint: Endpoint) -> bool:
    """Return True if a live daemon holds the lock of a Unix socket; a tcp port has no lock."""
    if endpoint.path is None:
        return False
    try:
        with _lock_file(endpoint.path).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def bind_endpoint(endpoint: Endpoint, listen: Callable[[str], None]) -> None:
    """Call `listen` with the address in the form that zmq expects, and translate its errors."""
    old = os.umask(SOCKET_UMASK)
    try:
        listen(endpoint.text if endpoint.path is not None else _numeric(endpoint))
    except zmq.ZMQError as error:
        if error.errno == errno.EADDRINUSE:
            raise _already_running(endpoint, "another process listens there") from error
        raise endpoint_error(f"cannot listen on {endpoint.text}: {error.strerror}") from error
    finally:
        os.umask(old)


def _lock_file(path: Path) -> Path:
    return Path(f"{path}.lock")


def _remove_leftovers(endpoint: Endpoint, path: Path) -> None:
    """Remove what a killed daemon left behind, or the empty file that the original had its users create."""
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
        raise endpoint_error(f"{path} is in the way and cannot be removed: {error.strerror}") from error


def _listener(path: Path) -> int | None:
    """Return the pid that listens on a socket, 0 if it cannot be determined, None if nobody listens."""
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
    """Return True if other machines could connect: tcp on any address but a loopback one.

    >>> is_reachable_from_outside(Endpoint("tcp://127.0.0.1:4242", host="127.0.0.1", port=4242))
    False
    """
    if endpoint.path is not None:
        return False
    host = _host(endpoint)
    return host == "*" or not ipaddress.ip_address(host).is_loopback


def _host(endpoint: Endpoint) -> str:
    """Return the host as a numeric address, or * for all interfaces."""
    host = endpoint.host
    if host == "*":
        return host
    try:
        found = socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise endpoint_error(f"host {host!r} must be an address of this machine, got {why}") from error
    # Prefer IPv4: clients that connect to "localhost" try it.
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


def _numeric(endpoint: Endpoint) -> str:
    """Return the address with a numeric host, which is all that zmq can listen on."""
    host = _host(endpoint)
    return f"tcp://[{host}]:{endpoint.port}" if ":" in host else f"tcp://{host}:{endpoint.port}"


def _already_running(endpoint: Endpoint, by: str) -> AlreadyRunning:
    return AlreadyRunning(f"{endpoint.text}: must be free, but a daemon is running ({by}); stop it first")
