"""zerorpc's messages: frames of a ROUTER socket <-> Message.

A message is msgpack of (header, name, args). A call has a `message_id` in its header; all that
belongs to it afterwards (heartbeats, the reply) names that id in `response_to`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack  # type: ignore[import-untyped]

VERSION = 3
OK = "OK"
ERR = "ERR"
HEARTBEAT = "_zpc_hb"

MessageId = bytes | str | int

MAX_ELEMENTS = 1_000_000
"""Of all the lists and tables in a message. Each takes dozens of bytes here and as little as one on its
way: a small message would fill the memory otherwise, and hold up all other calls."""

_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError, MemoryError, msgpack.UnpackException)


class MalformedMessage(ValueError):
    """What a foreign or broken peer sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a peer; `route` are the frames that lead back to it."""

    route: tuple[bytes, ...]
    id: MessageId
    response_to: MessageId | None
    version: int
    name: str
    args: tuple[Any, ...]


def unpack_message(frames: Sequence[bytes]) -> Message:
    """The message in the frames of a ROUTER socket; Malformed if it is none."""
    if not frames:
        raise MalformedMessage("must come from an authorised client")
    *route, payload = frames
    try:
        content = _unpack_payload(payload)
    except _UNREADABLE as error:
        raise MalformedMessage(f"must be msgpack, got {len(payload)} other bytes") from error
    if not isinstance(content, list) or len(content) != 3:
        raise MalformedMessage("must be [header, name, arguments]")
    header, name, args = content
    if not isinstance(header, dict) or not isinstance(name, str) or not isinstance(args, list | tuple):
        raise MalformedMessage("must be [object, text, list]")
    ids = header.get("message_id"), header.get("response_to")
    if not isinstance(ids[0], MessageId) or not isinstance(ids[1], MessageId | None):
        raise MalformedMessage("message_id and response_to must be text or bytes")
    if route and route[-1] == b"":
        route = route[:-1]
    version = header.get("v", 1)
    # Version 1 knew neither heartbeats nor errors in parts; what is no number is as good as that.
    return Message(
        tuple(route), ids[0], ids[1], version if isinstance(version, int) else 1, name, tuple(args)
    )


def _unpack_payload(payload: bytes) -> Any:
    """ValueError beyond MOST_ELEMENTS. A text that is not UTF-8 keeps its bytes, as Python has the names
    of files: who sends one is answered, too."""
    left = MAX_ELEMENTS

    def count(made: Any) -> Any:
        nonlocal left
        left -= 1 + len(made)
        if left < 0:
            raise ValueError(f"more than {MAX_ELEMENTS} elements")
        return made

    return msgpack.unpackb(
        payload,
        raw=False,
        strict_map_key=False,
        unicode_errors="surrogateescape",
        list_hook=count,
        object_hook=count,
        max_array_len=MAX_ELEMENTS,
        max_map_len=MAX_ELEMENTS,
    )


def pack_message(
    route: Sequence[bytes], response_to: MessageId, name: str, args: Sequence[Any]
) -> list[bytes]:
    """Frames of a message to the peer at `route` about its call.

    TypeError, ValueError or OverflowError if an argument is nothing that msgpack knows.
    """
    header = {"message_id": uuid.uuid4().hex.encode(), "v": VERSION, "response_to": response_to}
    return [
        *route,
        b"",
        msgpack.packb((header, name, args), use_bin_type=True, unicode_errors="backslashreplace"),
    ]
