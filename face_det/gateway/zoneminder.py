"""ZoneMinder's events: each report is answered at once, and looked into in turn."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query

from face_det.config import ZoneMinder
from face_det.gateway.daemon import Daemon
from face_det.gateway.motion import MotionQueue
from face_det.gateway.problems import Problem
from face_det.gateway.state import GatewayState
from face_det.integrations import Portal, PortalSettings, process_event

PATIENCE_S = 3600.0
"""How long an event is tried again while ZoneMinder or the daemon does not answer."""

ROUTES = APIRouter(tags=["zoneminder"])


def event_queue(settings: ZoneMinder | None, daemon: Daemon) -> MotionQueue | None:
    """Return a queue of events by `MID/EID`: one at a time of each monitor; None without `zoneminder`."""
    if settings is None:
        return None
    locks: dict[str, asyncio.Lock] = {}
    about = PortalSettings(
        settings.url, settings.user, settings.password_file, settings.verify_tls, settings.timeout
    )

    async def look(key: str) -> None:
        mid, eid = key.split("/")
        async with locks.setdefault(mid, asyncio.Lock()), Portal(about) as portal:
            await process_event(
                daemon,
                portal,
                int(eid),
                mid=int(mid) if mid else None,
                events_path=settings.events_path,
                max_wait_s=settings.max_wait,
            )

    return MotionQueue(look, "ZoneMinder's event", PATIENCE_S)


@ROUTES.post("/zoneminder/events/{eid}", status_code=202)
async def zoneminder_event(
    gateway: GatewayState,
    eid: Annotated[int, Path(ge=1, le=2**63 - 1, description="The event's number.")],
    mid: Annotated[int | None, Query(ge=1, le=2**31, description="The monitor that it must be of.")] = None,
) -> dict[str, bool]:
    """Answer at once, then name the people in an event of ZoneMinder and write their names to it."""
    if gateway.events is None:
        raise Problem(409, "ZoneMinderOff", "config.json has no `zoneminder`")
    return {"ok": True, "queued": gateway.events.report(f"{mid or ''}/{eid}")}
