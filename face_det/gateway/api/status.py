"""How the daemon and this gateway are doing."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request

from face_det import __version__
from face_det.gateway.api.answers import Doctor, Status, json_answer
from face_det.gateway.security.access import Access
from face_det.gateway.state import GatewayState

DOCTOR_TIMEOUT_S = 600.0
"""The doctor tries out networks, which takes minutes on a small machine that is busy."""

ROUTES = APIRouter(tags=["status"])


@ROUTES.get("/status", **json_answer(Status))
async def status(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Return the daemon's status, and this gateway's own in `gateway`."""
    answer: dict[str, Any] = await gateway.daemon.call("status")
    access: Access = request.app.state.access
    answer["gateway"] = {
        "version": __version__,
        "uptime_s": round(time.monotonic() - gateway.started, 1),
        "cameras": list(gateway.config.cameras),
        "legacyGet": access.legacy_get,
        "sightings": answer["sightings"] is not None,
    }
    return answer


@ROUTES.get("/doctor", **json_answer(Doctor))
async def doctor(gateway: GatewayState) -> dict[str, Any]:
    """Return the results of `face-det doctor` on the daemon's machine."""
    answer: dict[str, Any] = await gateway.daemon.call("doctor", timeout_s=DOCTOR_TIMEOUT_S)
    return answer
