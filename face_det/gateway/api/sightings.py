"""Who was seen, and what users say about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from face_det.gateway.state import GatewayState

ROUTES = APIRouter(tags=["sightings"])


class SightingsQuery(BaseModel):
    """Which sightings to list; all parts are optional."""

    model_config = ConfigDict(extra="forbid")

    since: float | None = None
    until: float | None = None
    camera: str | None = None
    name: str | None = None
    unknown: str | None = None
    outcome: str | None = None
    limit: int | None = None
    cursor: str | None = None


class Name(BaseModel):
    """A person's name."""

    name: str


class NameOrNobody(BaseModel):
    """A person's name, or null for somebody who is not enrolled."""

    name: str | None


@ROUTES.get("/sightings")
async def sightings(query: Annotated[SightingsQuery, Query()], gateway: GatewayState) -> dict[str, Any]:
    """Return a page of sightings, newest first."""
    answer: dict[str, Any] = await gateway.daemon.call("sightings", query.model_dump(exclude_none=True))
    return answer


@ROUTES.get("/sightings/{identifier}")
async def sighting(identifier: int, gateway: GatewayState) -> dict[str, Any]:
    """Return all that is kept of a sighting, except its pictures."""
    answer: dict[str, Any] = await gateway.daemon.call("sighting", identifier)
    return answer


@ROUTES.get("/sightings/{identifier}/thumbnail")
async def thumbnail(identifier: int, gateway: GatewayState) -> Response:
    """Return the face as a JPEG."""
    return Response(await gateway.daemon.call("thumbnail", identifier), media_type="image/jpeg")


@ROUTES.get("/sightings/{identifier}/picture")
async def picture(identifier: int, gateway: GatewayState) -> Response:
    """Return the whole picture as a JPEG, if it was kept."""
    return Response(await gateway.daemon.call("picture", identifier), media_type="image/jpeg")


@ROUTES.post("/sightings/{identifier}/confirm")
async def confirm(identifier: int, body: Name, gateway: GatewayState) -> dict[str, Any]:
    """Say that a sighting shows this person."""
    answer: dict[str, Any] = await gateway.daemon.call("confirm", identifier, body.name)
    return answer


@ROUTES.post("/sightings/{identifier}/correct")
async def correct(identifier: int, body: NameOrNobody, gateway: GatewayState) -> dict[str, Any]:
    """Say that a sighting shows somebody else, or nobody who is enrolled."""
    answer: dict[str, Any] = await gateway.daemon.call("correct", identifier, body.name)
    return answer


@ROUTES.get("/sightings/{identifier}/why")
async def why(identifier: int, gateway: GatewayState) -> dict[str, Any]:
    """Explain the decision: the nearest enrolled photos, the threshold, and which photo to blame."""
    answer: dict[str, Any] = await gateway.daemon.call("explain", identifier)
    return answer
