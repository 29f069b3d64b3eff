"""ZoneMinder's events: each report is answered at once, and the events are processed in turn."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from face_det.config import ZoneMinder
from face_det.gateway.daemon import Daemon
from face_det.gateway.problems import Problem
from face_det.gateway.state import GatewayState
from face_det.integrations import EventQueue, EventReport, Portal, ServerSettings, process_event

ROUTES = APIRouter(tags=["zoneminder"])


def event_queue(settings: ZoneMinder | None, daemon: Daemon) -> EventQueue | None:
    """Return a queue of ZoneMinder's events; None without `zoneminder`."""
    if settings is None:
        return None
    about = ServerSettings.configured(settings)

    async def look(eid: int, mid: int | None) -> EventReport:
        async with Portal(about) as portal:
            return await process_event(
                daemon,
                portal,
                eid,
                mid=mid,
                events_path=settings.events_path,
                max_wait_s=settings.max_wait,
            )

    return EventQueue(look, settings.queue_path)


@ROUTES.post("/zoneminder/events/{eid}", status_code=202)
async def zoneminder_event(
    gateway: GatewayState,
    eid: Annotated[int, Path(ge=1, le=2**63 - 1, description="The event's number.")],
    mid: Annotated[int | None, Query(ge=1, le=2**31, description="The monitor it must belong to.")] = None,
) -> dict[str, bool]:
    """Answer at once, then name the people in an event of ZoneMinder and write their names to it."""
    if gateway.events is None:
        raise Problem(409, "ZoneMinderOff", "config.json has no `zoneminder`")
    return {"ok": True, "queued": await gateway.events.report(eid, mid)}
