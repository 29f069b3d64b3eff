"""Events, as a stream of server-sent events."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from face_det.errors import FaceDetError
from face_det.gateway.problems import Problem
from face_det.gateway.state import Gateway, GatewayState

ROUTES = APIRouter(tags=["events"])

_LOG = logging.getLogger(__name__)

WAIT_S = 15
"""How long one call waits for the next event. A daemon that has gone is noticed within this time."""

_EXAMPLE = 'id: 7\nevent: seen\ndata: {"seq": 7, "type": "seen", "camera": "door", "name": "Alice"}\n\n'
_STREAM: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The stream",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        }
    }
}

_MAX_SEQ = 2**63 - 1
_DIGITS = len(str(_MAX_SEQ))


async def _first_events(
    gateway: GatewayState,
    after: Annotated[int | None, Query(ge=0, le=_MAX_SEQ, description="Default: only new events.")] = None,
    last_event_id: Annotated[str | None, Header(description="Sent by browsers to resume the stream.")] = None,
) -> dict[str, Any]:
    """Ask once before the stream starts, so that an error becomes a status instead of a broken stream."""
    if last_event_id:
        # Starting with new events instead would silently lose some.
        if not (last_event_id.isascii() and last_event_id.isdecimal() and len(last_event_id) <= _DIGITS):
            raise Problem(400, "BadRequest", "Last-Event-ID: must be the number of an event")
        after = min(int(last_event_id), _MAX_SEQ)
    if after is None:
        status = await gateway.daemon.call("status")
        after = int((status.get("sightings") or {}).get("last_event", 0))
    answer: dict[str, Any] = await gateway.daemon.call("events", after, 0)
    return answer


@ROUTES.get("/events", response_class=StreamingResponse, **_STREAM)
async def events(
    first: Annotated[dict[str, Any], Depends(_first_events)], gateway: GatewayState
) -> StreamingResponse:
    """Send each event as a message: its number as `id`, its type as `event`, all of it as JSON.

    A browser that reconnects sends `Last-Event-ID` and misses nothing. If the event log was started anew,
    a message of type `reset` comes first. The stream ends when the daemon stops; browsers then reconnect
    by themselves. A comment at least every 15 s keeps the connection alive.
    """
    # Not FastAPI's own stream, which logs a fault for each client that goes away.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_messages(first, gateway), media_type="text/event-stream", headers=headers)


async def _messages(first: dict[str, Any], gateway: Gateway) -> AsyncIterator[str]:
    answer: dict[str, Any] | None = first
    while answer is not None:
        yield ":\n\n"
        if answer.get("reset"):
            yield _message("reset", {"log": answer["log"]})
        for event in answer["events"]:
            yield f"id: {event['seq']}\n" + _message(event["type"], event)
        answer = await _next_events(gateway, answer["last"])


def _message(kind: str, data: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


async def _next_events(gateway: Gateway, after: int) -> dict[str, Any] | None:
    """Wait for more events; None if the daemon has gone, which ends the stream cleanly."""
    try:
        answer: dict[str, Any] = await gateway.daemon.call("events", after, WAIT_S)
    except FaceDetError as error:
        _LOG.info("an event stream ended: %s: %s", type(error).__name__, error)
        return None
    return answer
