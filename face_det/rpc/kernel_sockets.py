"""The kernel's sockets beneath ZeroMQ's connections: what waits in them, and how to end one with a message.

A thread of ZeroMQ reads and writes them. On a busy machine that thread has to wait for a processor, and what
waits in the kernel meanwhile is lost if the connection ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import stat
import struct
import sys
import termios
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import zmq

LARGEST_LAST_MESSAGE = 65536
"""Bytes that surely fit into the kernel's buffer of a connection whose peer has received everything else."""
WRITE_S = 1.0
"""How long a peer may take to receive a part of a last message."""
_MORE, _LONG = 1, 2
_LIBC = ctypes.PyDLL(None)
_SO_ATTACH_FILTER = 26
_NOTHING_PASSES = struct.pack("=HBBI", 6, 0, 0, 0)
"""A filter of one instruction (linux/filter.h): return 0, which drops the packet."""


class KernelSockets:
    """The sockets of the connections on which messages have come, each by ZeroMQ's name for its peer."""

    def __init__(self) -> None:
        self._descriptors: dict[bytes, int] = {}

    def note(self, peer: bytes, frame: zmq.Frame) -> None:
        """Note on which socket a peer's message has come."""
        with suppress(zmq.ZMQError, ValueError):
            descriptor = int(frame.get(zmq.SRCFD))
            if self._descriptors.get(peer) != descriptor:
                # Whoever had this number before is gone.
                for name in [name for name, number in self._descriptors.items() if number == descriptor]:
                    del self._descriptors[name]
                self._descriptors[peer] = descriptor

    def hold_requests(self) -> bool:
        """Tell whether anything has arrived that ZeroMQ has not read, or anybody whom it has not let in."""
        listening, accepted = _find_sockets()
        return any(_waiting_bytes(one, termios.FIONREAD) for one in accepted) or bool(
            listening and select.select(listening, [], [], 0)[0]
        )

    def any_open(self) -> bool:
        """Tell whether anybody is connected, also somebody who has not said anything yet."""
        return bool(_find_sockets()[1])

    def admit_nobody(self) -> None:
        """Let nobody else connect over tcp; whoever is connected stays so. Only Linux can do this.

        Whoever tries gets no answer, and the kernel tries again for them, as if a packet were lost, until
        there is another daemon. To ZeroMQ the socket listens as before: to close it would cut the others.
        """
        program = ctypes.create_string_buffer(_NOTHING_PASSES)
        wanted = struct.pack("HP", 1, ctypes.addressof(program))
        for descriptor in _find_sockets()[0]:
            with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as listener:
                if listener.family != socket.AF_UNIX and sys.platform == "linux":
                    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, wanted)

    def end_with(self, peer: bytes, frames: Sequence[bytes]) -> bool:
        """Write a message past ZeroMQ, and end the connection with it; False if that cannot be done.

        The peer learns of both at once, before it can send anything else. If it has read the message before
        the connection could end, it may be sending already, and the connection stays. That happens only on
        a Unix socket: over Linux's tcp, message and end leave in one packet.

        The frames are written as ZMTP has them (rfc.zeromq.org/spec/23, "Framing") and unencrypted, so that
        the connection must have no keys. The caller makes sure that ZeroMQ has nothing else to write to the
        peer.
        """
        *first, last = frames
        data = b"".join(_frame(content, _MORE) for content in first) + _frame(last, 0)
        descriptor = self._descriptors.get(peer)
        if descriptor is None or len(data) > LARGEST_LAST_MESSAGE:
            return False
        if _waiting_bytes(descriptor, termios.FIONREAD) or _waiting_bytes(descriptor, termios.TIOCOUTQ):
            return False
        try:
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                if sys.platform == "linux" and connection.family != socket.AF_UNIX:
                    # Corked, the last byte waits for the end. More might not: half a window is always sent.
                    _send_all(connection, data[:-1])
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                    _send_all(connection, data[-1:])
                    connection.shutdown(socket.SHUT_RDWR)
                else:
                    _send_all(connection, data)
                    _shut_down_if_unread(connection.fileno())
        except OSError:
            return False
        return True


def _shut_down_if_unread(descriptor: int) -> None:
    """Shut a socket down if its peer has something left to read."""
    # Keeping the GIL: between the two calls, the peer could receive the message and answer it.
    unread = ctypes.c_int()
    _LIBC.ioctl(descriptor, termios.TIOCOUTQ, ctypes.byref(unread))
    if unread.value:
        _LIBC.shutdown(descriptor, socket.SHUT_RDWR)


def _send_all(connection: socket.socket, data: bytes) -> None:
    """Write everything to a socket that does not block; raises OSError."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[connection.send(rest, socket.MSG_NOSIGNAL) :]
        except BlockingIOError:
            # Over tcp, the buffer may be small at first.
            if not select.select([], [connection], [], WRITE_S)[1]:
                raise


def _frame(content: bytes, flags: int) -> bytes:
    if len(content) < 256:
        return struct.pack("!BB", flags, len(content)) + content
    return struct.pack("!BQ", flags | _LONG, len(content)) + content


def _find_sockets() -> tuple[list[int], list[int]]:
    """Return this process's sockets that listen, and those of the connections that came in on them.

    Without Linux's /proc, none are found.
    """
    names: dict[int, str | int] = {}
    listening = []
    folder = Path("/proc/self/fd")
    for descriptor in [int(entry.name) for entry in folder.iterdir()] if folder.is_dir() else []:
        if not _is_socket(descriptor):
            continue
        try:
            with socket.socket(fileno=os.dup(descriptor)) as one:
                name = one.getsockname()
                # An address of tcp is another one for each connection, where it listens on all of them.
                names[descriptor] = name[1] if isinstance(name, tuple) else name
                if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    listening.append(descriptor)
        except OSError:
            continue  # closed meanwhile
    places = {names[descriptor] for descriptor in listening}
    return listening, [one for one, name in names.items() if name in places and one not in listening]


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _waiting_bytes(descriptor: int, question: int) -> int:
    """Return how many bytes wait to be received; 0 if the number means no socket by now."""
    if not _is_socket(descriptor):
        return 0
    return int(struct.unpack("i", fcntl.ioctl(descriptor, question, bytes(4)))[0])
