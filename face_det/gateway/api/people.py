"""Who is enrolled, with their photos."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from face_det.gateway.state import GatewayState
from face_det.gateway.uploads import read_picture

ROUTES = APIRouter(tags=["people"])


@ROUTES.get("/people")
async def people(gateway: GatewayState) -> dict[str, Any]:
    """List everybody who is enrolled."""
    return {"people": await gateway.daemon.call("people")}


@ROUTES.post("/people/{name}/photos", status_code=201)
async def add_photo(name: str, request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Store a photo under a name and learn its face; the next call knows it."""
    answer: dict[str, Any] = await gateway.daemon.call("add_face", name, await read_picture(request))
    return answer


@ROUTES.post("/people/{name}/forget")
async def forget(name: str, gateway: GatewayState) -> dict[str, Any]:
    """Erase a person for good: photos, encodings, sightings."""
    answer: dict[str, Any] = await gateway.daemon.call("forget", name)
    return answer


@ROUTES.get("/people/{name}/export")
async def export(name: str, gateway: GatewayState) -> Response:
    """Return all that is known about a person as a zip."""
    return Response(await gateway.daemon.call("export", name), media_type="application/zip")
