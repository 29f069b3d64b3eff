"""Who is calling, and the audit log's lines of what is done for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import zmq

from face_det.config import Config
from face_det.identity import audit
from face_det.identity.audit import Audit, Who

T = TypeVar("T")
_LOCAL = re.compile(r"localhost:(\d+):\d+:\d+")
"""How ZeroMQ spells the peer of a Unix socket: user, group and process."""
COUNTS = ("images", "encodings", "encoded", "reused")
"""What of a call's notes goes into the audit log."""

CALLER: ContextVar[Who | None] = ContextVar("caller", default=None)
"""The server sets it in the greenlet of a call; greenlets have contexts of their own."""


def sender(frame: zmq.Frame) -> Who:
    """Who sent a message, as far as ZeroMQ knows: the user id over a socket, address and key over tcp."""
    address = _known(frame, "Peer-Address") or ""
    local = _LOCAL.fullmatch(address)
    if local is not None:
        return Who("rpc", uid=int(local[1]))
    return Who("rpc", peer=address or None, key=_known(frame, "User-Id") or None)


def _known(frame: zmq.Frame, name: str) -> str | None:
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return None


def open_audit(config: Config, encodings: Path | None = None) -> Audit:
    """The audit log that is configured, else the one beside these encodings, or the configuration's."""
    return Audit(config.audit_path or audit.audit_path(encodings or config.encodings_path))


def audited(
    log: Audit, action: str, run: Callable[[], T], notes: Mapping[str, Any], name: object = None
) -> Callable[[], T]:
    """`run`, with lines in the audit log before and after: on behalf of who calls now."""
    who = CALLER.get() or Who("rpc")

    def recorded() -> T:
        with log.recorded(who, action, name) as counts:
            done = run()
            counts.update({key: notes[key] for key in COUNTS if key in notes})
        return done

    return recorded
