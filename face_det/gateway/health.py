"""Health checks for whatever monitors the service: is it alive, and can it answer?"""

from __future__ import annotations

from fastapi import APIRouter

from face_det.gateway.state import GatewayState

ROUTES = APIRouter(tags=["health"])

PATIENCE_S = 5


@ROUTES.head("/healthz/live", include_in_schema=False)
@ROUTES.get("/healthz/live")
async def live() -> dict[str, bool]:
    """Check that this process answers."""
    return {"ok": True}


@ROUTES.head("/healthz", include_in_schema=False)
@ROUTES.head("/healthz/ready", include_in_schema=False)
@ROUTES.get("/healthz")
@ROUTES.get("/healthz/ready")
async def ready(gateway: GatewayState) -> dict[str, bool]:
    """Check that the daemon answers; 503 if it does not."""
    await gateway.daemon.call("status", timeout_s=PATIENCE_S)
    return {"ok": True}
