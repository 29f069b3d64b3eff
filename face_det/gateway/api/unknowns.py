"""Unknown people: grouped until somebody names them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import FailFast, Field

from face_det.gateway.api.answers import AnyChange, Forgotten, Unknowns, json_answer
from face_det.gateway.api.arguments import Number, UnknownId
from face_det.gateway.api.sightings import Name
from face_det.gateway.bodies import Body
from face_det.gateway.state import GatewayState

ROUTES = APIRouter(tags=["unknowns"])


class Ids(Body):
    """The ids of unknown people, such as unknown-3."""

    ids: Annotated[list[str], FailFast(), Field(examples=[["unknown-3", "unknown-5"]])]


class Sightings(Body):
    """The numbers of sightings."""

    sightings: Annotated[list[Number], FailFast(), Field(examples=[[7, 9]])]


@ROUTES.get("/unknowns", **json_answer(Unknowns))
async def unknowns(gateway: GatewayState) -> dict[str, Any]:
    """List the unknown people, most often seen first."""
    return {"unknowns": await gateway.daemon.call("unknowns")}


@ROUTES.post("/unknowns/merge", **json_answer(AnyChange))
async def merge(body: Ids, gateway: GatewayState) -> dict[str, Any]:
    """Merge several unknown people into one; the oldest number is kept."""
    answer: dict[str, Any] = await gateway.daemon.call("merge", body.ids)
    return answer


@ROUTES.post("/unknowns/{identifier}/name", **json_answer(AnyChange))
async def name_unknown(identifier: UnknownId, body: Name, gateway: GatewayState) -> dict[str, Any]:
    """Give an unknown person a name; they are recognised from the next call on."""
    answer: dict[str, Any] = await gateway.daemon.call("name_unknown", identifier, body.name)
    return answer


@ROUTES.post("/unknowns/{identifier}/ignore", **json_answer(AnyChange))
async def ignore(identifier: UnknownId, gateway: GatewayState) -> dict[str, Any]:
    """Stop reporting an unknown person, and never give that face a name."""
    answer: dict[str, Any] = await gateway.daemon.call("ignore", identifier)
    return answer


@ROUTES.post("/unknowns/{identifier}/split", **json_answer(AnyChange))
async def split(identifier: UnknownId, body: Sightings, gateway: GatewayState) -> dict[str, Any]:
    """Split some sightings of an unknown person off into a new one."""
    answer: dict[str, Any] = await gateway.daemon.call("split", identifier, body.sightings)
    return answer


@ROUTES.delete("/unknowns/{identifier}", **json_answer(Forgotten))
async def forget(identifier: UnknownId, gateway: GatewayState) -> dict[str, Any]:
    """Erase all that is known about an unknown person."""
    answer: dict[str, Any] = await gateway.daemon.call("forget", identifier)
    return answer
