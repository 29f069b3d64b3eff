"""Who is calling, and the audit log's lines of what is done for them."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from contextvars import ContextVar
from dataclasses import dataclass

import zmq

_LOCAL = re.compile(r"localhost:(\d+):\d+:\d+")
"""How ZeroMQ spells the peer of a Unix socket: user, group and process."""


CURRENT_CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)
"""The server sets it in the greenlet of a call; greenlets have contexts of their own."""


def identify_caller(frame: zmq.Frame) -> Caller:
    """Who sent a message, as far as ZeroMQ knows: the user id over a socket, address and key over tcp."""
    address = _frame_property(frame, "Peer-Address") or ""
    local = _LOCAL.fullmatch(address)
    if local is not None:
        return Caller("rpc", uid=int(local[1]))
    return Caller("rpc", peer=address or None, key=_frame_property(frame, "User-Id") or None)


def _frame_property(frame: zmq.Frame, name: str) -> str | None:
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return None


CURRENT_CLIENT: ContextVar[Hashable] = ContextVar("client", default=None)
"""Whose calls a greenlet submits."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked: through which door (`rpc`, `signal`, `command`, `daemon`: of its own accord), and
    what is known besides: user id of a command, address and key's name of a caller."""

    door: str
    uid: int | None = None
    peer: str | None = None
    key: str | None = None


def command_caller() -> Caller:
    """The user of this process."""
    return Caller("command", uid=os.getuid())
