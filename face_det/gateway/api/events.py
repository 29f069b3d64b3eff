"""What happened, as a stream of server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from face_det.gateway.state import GatewayState

ROUTES = APIRouter(tags=["events"])

WAIT_S = 20
"""How long one call waits for the next event. A daemon that has gone is noticed within this time."""

_MAX_SEQ = 2**63 - 1


async def _first_events(
    gateway: GatewayState,
    after: Annotated[int | None, Query(ge=0, le=_MAX_SEQ, description="Default: only what is new.")] = None,
    last_event_id: Annotated[str | None, Header(description="What a browser sends to go on.")] = None,
) -> dict[str, Any]:
    """Ask once before the stream begins, so that an error becomes a status and not a broken stream."""
    if last_event_id is not None and last_event_id.isdecimal():
        after = min(int(last_event_id), _MAX_SEQ)
    if after is None:
        status = await gateway.daemon.call("status")
        after = int((status.get("sightings") or {}).get("last_event", 0))
    answer: dict[str, Any] = await gateway.daemon.call("events", after, 0)
    return answer


@ROUTES.get("/events", response_class=EventSourceResponse)
async def events(
    first: Annotated[dict[str, Any], Depends(_first_events)], gateway: GatewayState
) -> AsyncIterator[ServerSentEvent]:
    """Send each event as a message: its number as `id`, its type as `event`, the rest as JSON.

    A browser that was away sends `Last-Event-ID` and misses nothing. If the log of events was begun anew,
    a message of the type `reset` comes first. The stream ends if the daemon does; browsers then come back
    by themselves.
    """
    answer = first
    while True:
        if answer.get("reset"):
            yield ServerSentEvent(event="reset", data={"log": answer["log"]})
        for event in answer["events"]:
            yield ServerSentEvent(id=str(event["seq"]), event=event["type"], data=event)
        answer = await gateway.daemon.call("events", answer["last"], WAIT_S)
