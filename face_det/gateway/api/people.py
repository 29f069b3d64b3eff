"""Who is enrolled, with their photos."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from pydantic import FailFast, Field

from face_det.gateway.api.answers import (
    Enrolled,
    Forgotten,
    People,
    PhotoChange,
    Photos,
    file_answer,
    json_answer,
)
from face_det.gateway.api.arguments import PersonName, PhotoName, upload
from face_det.gateway.bodies import Body
from face_det.gateway.state import GatewayState
from face_det.gateway.uploads import read_face_box, read_picture

ROUTES = APIRouter(tags=["people"])


class Target(Body):
    """The target of a move or a new name."""

    to: Annotated[str, Field(examples=["Bob"])]


class Merging(Body):
    """The people to merge, and the name to keep."""

    names: Annotated[list[str], FailFast(), Field(min_length=1, examples=[["Alice", "Alicia"]])]
    into: Annotated[str, Field(examples=["Alice"])]


@ROUTES.get("/people", **json_answer(People))
async def people(gateway: GatewayState) -> dict[str, Any]:
    """List everybody who is enrolled."""
    return {"people": await gateway.daemon.call("people")}


@ROUTES.post("/people/merge", **json_answer(PhotoChange))
async def merge(body: Merging, gateway: GatewayState) -> dict[str, Any]:
    """Merge several people into one."""
    answer: dict[str, Any] = await gateway.daemon.call("merge_people", body.names, body.into)
    return answer


@ROUTES.get("/people/{name}", **json_answer(Photos))
async def photos(name: PersonName, gateway: GatewayState) -> dict[str, Any]:
    """List a person's photos."""
    return {"name": name, "photos": await gateway.daemon.call("photos", name)}


@ROUTES.delete("/people/{name}", **json_answer(PhotoChange))
async def remove(name: PersonName, gateway: GatewayState) -> dict[str, Any]:
    """Remove a person's photos; this can be undone."""
    answer: dict[str, Any] = await gateway.daemon.call("remove_person", name)
    return answer


@ROUTES.post(
    "/people/{name}/photos",
    status_code=201,
    **json_answer(Enrolled, 201, "Learnt"),
    **upload(face_box=True),
)
async def add_photo(name: PersonName, request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Store a photo under a name and learn its face; the next call knows it.

    If there are several faces, the form field `faceBox` says which is meant, as JSON.
    """
    picture = await read_picture(request)
    box = await read_face_box(request)
    answer: dict[str, Any] = await gateway.daemon.call("add_face", name, picture, box)
    return answer


@ROUTES.get("/people/{name}/photos/{photo}", response_class=Response, **file_answer("image/jpeg"))
async def photo(
    name: PersonName,
    photo: PhotoName,
    gateway: GatewayState,
    size: Annotated[int, Query(ge=1, le=4096, description="Length of the longer side, at most.")] = 1280,
    face: Annotated[bool, Query(description="Only the face, with a margin.")] = False,
) -> Response:
    """Return a photo as a JPEG, upright."""
    picture = await gateway.daemon.call("photo", name, photo, size, {"face": face})
    return Response(picture, media_type="image/jpeg")


@ROUTES.delete("/people/{name}/photos/{photo}", **json_answer(PhotoChange))
async def delete_photo(name: PersonName, photo: PhotoName, gateway: GatewayState) -> dict[str, Any]:
    """Remove a photo; this can be undone."""
    answer: dict[str, Any] = await gateway.daemon.call("delete_photo", name, photo)
    return answer


@ROUTES.post("/people/{name}/photos/{photo}/move", **json_answer(PhotoChange))
async def move_photo(
    name: PersonName, photo: PhotoName, body: Target, gateway: GatewayState
) -> dict[str, Any]:
    """Move a photo to somebody else."""
    answer: dict[str, Any] = await gateway.daemon.call("move_photo", name, photo, body.to)
    return answer


@ROUTES.post("/people/{name}/rename", **json_answer(PhotoChange))
async def rename(name: PersonName, body: Target, gateway: GatewayState) -> dict[str, Any]:
    """Rename a person."""
    answer: dict[str, Any] = await gateway.daemon.call("rename_person", name, body.to)
    return answer


@ROUTES.post("/people/{name}/forget", **json_answer(Forgotten))
async def forget(name: PersonName, gateway: GatewayState) -> dict[str, Any]:
    """Erase a person for good: photos, encodings, sightings."""
    answer: dict[str, Any] = await gateway.daemon.call("forget", name)
    return answer


@ROUTES.get("/people/{name}/export", response_class=Response, **file_answer("application/zip"))
async def export(name: PersonName, gateway: GatewayState) -> Response:
    """Return all that is known about a person as a zip."""
    archive = await gateway.daemon.call("export", name)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}.zip"}
    return Response(archive, media_type="application/zip", headers=headers)
