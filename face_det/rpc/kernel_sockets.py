"""The kernel's sockets beneath ZeroMQ's connections: what they hold that nobody has read, and how to end one.

A thread of ZeroMQ reads and writes them. On a busy machine that thread, and a caller's, may have to wait for
a processor, and what waits in the kernel meanwhile is lost if the connection ends.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from contextlib import suppress

import zmq


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
                gone = [name for name, number in self._descriptors.items() if number == descriptor]
                for name in gone:
                    del self._descriptors[name]
                self._descriptors[peer] = descriptor

    def hold_requests(self) -> bool:
        """Tell whether anything has arrived from anybody that ZeroMQ has not read yet."""
        return any(map(_received_bytes, self._descriptors.values()))

    def holds_request(self, peer: bytes) -> bool:
        """Tell whether anything has arrived from a peer that ZeroMQ has not read yet."""
        return peer in self._descriptors and _received_bytes(self._descriptors[peer]) > 0

    def holds_reply(self, peer: bytes) -> bool:
        """Tell whether anything was sent that the peer, or over tcp its machine, has not received yet."""
        return peer in self._descriptors and _sent_bytes(self._descriptors[peer]) > 0

    def end(self, peer: bytes) -> None:
        """End a connection: the peer receives what was sent, and then learns that it is over."""
        descriptor = self._descriptors.pop(peer, None)
        if descriptor is None:
            return
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as connection:
            connection.shutdown(socket.SHUT_RDWR)


def _received_bytes(descriptor: int) -> int:
    return _ask(descriptor, termios.FIONREAD)


def _sent_bytes(descriptor: int) -> int:
    return _ask(descriptor, termios.TIOCOUTQ)


def _ask(descriptor: int, question: int) -> int:
    """Return a number of bytes; 0 if the socket is closed, also if its number means another file by now."""
    try:
        with socket.socket(fileno=os.dup(descriptor)):
            return int(struct.unpack("i", fcntl.ioctl(descriptor, question, bytes(4)))[0])
    except OSError:
        return 0
