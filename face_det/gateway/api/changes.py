"""The latest changes, and undoing them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from face_det.gateway.api.answers import AnyChange, Changes, json_answer
from face_det.gateway.api.arguments import MAX_NUMBER
from face_det.gateway.problems import Problem
from face_det.gateway.state import GatewayState

ROUTES = APIRouter(tags=["changes"])

_DIGITS = len(str(MAX_NUMBER))


@ROUTES.get("/changes", **json_answer(Changes))
async def changes(
    gateway: GatewayState,
    limit: Annotated[int, Query(ge=1, le=500, description="At most this many.")] = 50,
) -> dict[str, Any]:
    """List the latest changes, newest first."""
    return {"changes": await gateway.daemon.call("changes", limit)}


@ROUTES.post("/changes/{change}/undo", **json_answer(AnyChange))
async def undo(
    change: Annotated[str, Path(description="The id of a change.", examples=["photos-12"])],
    gateway: GatewayState,
) -> dict[str, Any]:
    """Undo a change."""
    # A number with more digits than that cannot even be read.
    number = int(change[:_DIGITS]) if change.isdecimal() else None
    if number is not None and (number > MAX_NUMBER or len(change) > _DIGITS):
        raise Problem(404, "NotFound", "there is no change with that number")
    answer: dict[str, Any] = await gateway.daemon.call("undo", change if number is None else number)
    return answer
