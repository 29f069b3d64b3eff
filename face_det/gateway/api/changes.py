"""What was changed, and taking it back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from face_det.gateway.state import GatewayState

ROUTES = APIRouter(tags=["changes"])


@ROUTES.get("/changes")
async def changes(gateway: GatewayState, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> dict[str, Any]:
    """List the latest changes, newest first."""
    return {"changes": await gateway.daemon.call("changes", limit)}


@ROUTES.post("/changes/{change}/undo")
async def undo(change: str, gateway: GatewayState) -> dict[str, Any]:
    """Undo a change."""
    answer: dict[str, Any] = await gateway.daemon.call("undo", int(change) if change.isdecimal() else change)
    return answer
