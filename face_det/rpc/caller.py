"""Identifies who makes a call."""

from __future__ import annotations

import os
from collections.abc import Hashable
from contextvars import ContextVar
from dataclasses import dataclass


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


def command_caller() -> Caller:
    """Return the user of this process as the caller of a command.

    >>> command_caller().door
    'command'
    """
    return Caller("command", uid=os.getuid())
