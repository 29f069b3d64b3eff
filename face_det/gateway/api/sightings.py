"""Who was seen, and what users say about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from face_det.gateway.api.answers import (
    AnyChange,
    Explanation,
    Outcome,
    Sighting,
    Sightings,
    file_answer,
    json_answer,
)
from face_det.gateway.api.arguments import SightingId
from face_det.gateway.bodies import Body
from face_det.gateway.state import GatewayState

ROUTES = APIRouter(tags=["sightings"])


class SightingsQuery(Body):
    """Which sightings to list; all parts are optional."""

    since: Annotated[float | None, Field(description="From this time on, in seconds since 1970.")] = None
    until: Annotated[float | None, Field(description="Before this time, in seconds since 1970.")] = None
    camera: Annotated[str | None, Field(description="Seen by this camera.")] = None
    name: Annotated[str | None, Field(description="Of this person.")] = None
    unknown: Annotated[
        str | None, Field(description="Of this unknown person, such as `unknown-3`; `true`: of any of them.")
    ] = None
    outcome: Annotated[Outcome | None, Field(description="With this outcome.")] = None
    limit: Annotated[int | None, Field(ge=1, le=500, description="At most this many; default 50.")] = None
    cursor: Annotated[str | None, Field(description="`next` from the previous page.")] = None


class Name(Body):
    """A person's name."""

    name: Annotated[str, Field(examples=["Alice"])]


class NameOrNobody(Body):
    """A person's name, or null for somebody who is not enrolled."""

    name: Annotated[str | None, Field(examples=["Alice"])]


@ROUTES.get("/sightings", **json_answer(Sightings))
async def sightings(query: Annotated[SightingsQuery, Query()], gateway: GatewayState) -> dict[str, Any]:
    """Return a page of sightings, newest first."""
    asked: dict[str, Any] = query.model_dump(exclude_none=True)
    if query.unknown == "true":
        asked["unknown"] = True
    answer: dict[str, Any] = await gateway.daemon.call("sightings", asked)
    return answer


@ROUTES.get("/sightings/{identifier}", **json_answer(Sighting))
async def sighting(identifier: SightingId, gateway: GatewayState) -> dict[str, Any]:
    """Return all that is kept of a sighting, except its pictures."""
    answer: dict[str, Any] = await gateway.daemon.call("sighting", identifier)
    return answer


@ROUTES.get("/sightings/{identifier}/thumbnail", response_class=Response, **file_answer("image/jpeg"))
async def thumbnail(identifier: SightingId, gateway: GatewayState) -> Response:
    """Return the face as a JPEG."""
    return Response(await gateway.daemon.call("thumbnail", identifier), media_type="image/jpeg")


@ROUTES.get("/sightings/{identifier}/picture", response_class=Response, **file_answer("image/jpeg"))
async def picture(identifier: SightingId, gateway: GatewayState) -> Response:
    """Return the whole picture as a JPEG, if it was kept."""
    return Response(await gateway.daemon.call("picture", identifier), media_type="image/jpeg")


@ROUTES.post("/sightings/{identifier}/confirm", **json_answer(AnyChange))
async def confirm(identifier: SightingId, body: Name, gateway: GatewayState) -> dict[str, Any]:
    """Confirm that a sighting shows this person."""
    answer: dict[str, Any] = await gateway.daemon.call("confirm", identifier, body.name)
    return answer


@ROUTES.post("/sightings/{identifier}/correct", **json_answer(AnyChange))
async def correct(identifier: SightingId, body: NameOrNobody, gateway: GatewayState) -> dict[str, Any]:
    """Correct a sighting: it shows somebody else, or nobody who is enrolled."""
    answer: dict[str, Any] = await gateway.daemon.call("correct", identifier, body.name)
    return answer


@ROUTES.get("/sightings/{identifier}/why", **json_answer(Explanation))
async def why(identifier: SightingId, gateway: GatewayState) -> dict[str, Any]:
    """Explain the decision: the nearest enrolled photos, the threshold, and which photo to blame."""
    answer: dict[str, Any] = await gateway.daemon.call("explain", identifier)
    return answer
