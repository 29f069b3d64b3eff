"""Identifies who makes a call."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from contextvars import ContextVar
from dataclasses import dataclass

import zmq

_LOCAL = re.compile(r"localhost:(\d+):\d+:\d+")
"""How ZeroMQ writes the peer of a Unix socket: user, group and process."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made a request, and how it came in.

    `door` is `rpc`, `signal`, `command`, or `daemon` for what the daemon does on its own. `uid` is the
    user id of a local caller; `peer` and `key` are the address and key name of a tcp caller.
    """

    door: str
    uid: int | None = None
    peer: str | None = None
    key: str | None = None


CURRENT_CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)
"""Set by the server in the greenlet of each call; every greenlet has its own context."""

CURRENT_CLIENT: ContextVar[Hashable] = ContextVar("client", default=None)
"""The connection for which a greenlet submits jobs; connections take turns."""


def identify_caller(frame: zmq.Frame) -> Caller:
    """Return who sent a message, as far as ZeroMQ knows: the user id over ipc, address and key over tcp."""
    address = _frame_property(frame, "Peer-Address") or ""
    local = _LOCAL.fullmatch(address)
    if local is not None:
        return Caller("rpc", uid=int(local[1]))
    return Caller("rpc", peer=address or None, key=_frame_property(frame, "User-Id") or None)


def command_caller() -> Caller:
    """Return the user of this process as the caller of a command.

    >>> command_caller().door
    'command'
    """
    return Caller("command", uid=os.getuid())


def _frame_property(frame: zmq.Frame, name: str) -> str | None:
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return None
