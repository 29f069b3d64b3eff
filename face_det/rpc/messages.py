"""Converts between zerorpc's messages, as frames of a ROUTER socket, and Message.

A message is (header, name, args) in msgpack. The header of a call has a `message_id`; everything that
belongs to the call afterwards (heartbeats, the reply) names that id in `response_to`.
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
STREAM = "STREAM"
HEARTBEAT = "_zpc_hb"
CANCEL = "_face_det_cancel"
"""Says that nobody waits for a call any longer. zerorpc has no such message: its clients disconnect."""

MessageId = bytes | str | int

MAX_ELEMENTS = 1_000_000
"""The most elements of all lists and maps in a message. An element takes dozens of bytes in memory but
as little as one on the wire, so a small message could otherwise fill the memory and stall all calls."""

_UNREADABLE = (ValueError, TypeError, OverflowError, RecursionError, MemoryError, msgpack.UnpackException)


class MalformedMessage(ValueError):
    """Raised for a message from a foreign or broken peer."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message from a peer; `route` holds the frames that lead back to it."""

    route: tuple[bytes, ...]
    id: MessageId
    response_to: MessageId | None
    version: int
    name: str
    args: tuple[Any, ...]


def unpack_message(frames: Sequence[bytes]) -> Message:
    """Unpack the message in the frames of a ROUTER socket; raise MalformedMessage if there is none.

    >>> unpack_message([b"peer", *pack_message([], b"7", "OK", (1,))]).response_to
    b'7'
    """
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
    # Version 1 had neither heartbeats nor structured errors; treat anything but a number as version 1.
    return Message(
        tuple(route), ids[0], ids[1], version if isinstance(version, int) else 1, name, tuple(args)
    )


def _unpack_payload(payload: bytes) -> Any:
    """Unpack msgpack; raise ValueError beyond MAX_ELEMENTS.

    Text that is not UTF-8 keeps its bytes, as Python does for file names, so its sender is answered too.
    """
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
    """Pack a message about a call into frames for the peer at `route`.

    Raises TypeError, ValueError or OverflowError if msgpack cannot represent an argument.
    """
    header = {"message_id": uuid.uuid4().hex.encode(), "v": VERSION, "response_to": response_to}
    return [
        *route,
        b"",
        msgpack.packb((header, name, args), use_bin_type=True, unicode_errors="backslashreplace"),
    ]


def pack_call(verb: str, args: Sequence[Any]) -> tuple[bytes, list[bytes]]:
    """Pack a call; return its id and its frames.

    Paths that are not UTF-8 keep their bytes, as they do on their way in. Raises TypeError, ValueError or
    OverflowError if msgpack cannot represent an argument.
    """
    call_id = uuid.uuid4().hex.encode()
    content = {"message_id": call_id, "v": VERSION}, verb, args
    return call_id, [b"", msgpack.packb(content, use_bin_type=True, unicode_errors="surrogateescape")]
