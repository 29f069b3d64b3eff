"""CompreFace's REST API: the face collection, which is who is enrolled, with their photos.

| CompreFace | here |
|---|---|
| subject | somebody who is enrolled; from the first photo on |
| face | a photo of theirs; what is removed can be put back for 30 days |
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, FailFast

from face_det.errors import UnknownPerson, UnknownPhoto
from face_det.gallery import check_person_name
from face_det.gateway.compat import compreface
from face_det.gateway.compat.stand_ins import routes_with
from face_det.gateway.problems import Problem
from face_det.gateway.state import Gateway, GatewayState
from face_det.gateway.uploads import read_base64_picture

ROUTES = APIRouter(
    prefix="/api/v1/recognition", tags=["compreface"], route_class=routes_with(compreface.error_response)
)

LARGEST_PX = 4096
_HINT_BYTES = 6
_EXISTS = "43"
_EMPTY = "5"


class Subject(BaseModel):
    """Somebody's name."""

    subject: str


@ROUTES.post("/faces", status_code=201)
async def add_face(
    request: Request,
    gateway: GatewayState,
    subject: Annotated[str, Query(description="Whose face it is.")],
) -> dict[str, Any]:
    """Store a picture of somebody and learn its one face; the next call knows it."""
    answer = await gateway.daemon.call("add_face", subject, await read_base64_picture(request, "file"))
    return _face(answer["name"], answer["photo"])


@ROUTES.get("/faces")
async def list_faces(
    gateway: GatewayState,
    page: Annotated[int, Query(ge=0, description="Page number, from 0.")] = 0,
    size: Annotated[int, Query(ge=1, description="Faces per page.")] = 20,
    subject: Annotated[str | None, Query(description="Only this person's.")] = None,
) -> dict[str, Any]:
    """List the photos of everybody, a page at a time."""
    people = await gateway.daemon.call("people")
    people = [person for person in people if not subject or person["name"] == subject]
    total = sum(person["images"] for person in people)
    return {
        "faces": await _list_page(gateway, people, page * size, size),
        "page_number": page,
        "page_size": size,
        "total_pages": -(-total // size),
        "total_elements": total,
    }


@ROUTES.delete("/faces")
async def delete_faces(
    gateway: GatewayState,
    subject: Annotated[str | None, Query(description="Whose faces; default: everybody's.")] = None,
) -> dict[str, Any]:
    """Remove all photos of somebody, or of everybody; they can be put back."""
    if subject == "":
        raise Problem(400, _EMPTY, "subject: must be a name; without it, everybody's faces are removed")
    names = await _names(gateway) if subject is None else [subject]
    return {"deleted": sum([await _remove(gateway, name) for name in names])}


@ROUTES.post("/faces/delete")
async def delete_several(
    image_ids: Annotated[list[str], FailFast()], gateway: GatewayState
) -> list[dict[str, Any]]:
    """Remove photos by their ids; ids that do not exist are passed over."""
    removed = []
    for image_id in image_ids:
        try:
            removed.append(await delete_face(image_id, gateway))
        except UnknownPhoto:
            continue
    return removed


@ROUTES.delete("/faces/{image_id}")
async def delete_face(image_id: str, gateway: GatewayState) -> dict[str, Any]:
    """Remove a photo; it can be put back."""
    name, photo = await _find(gateway, image_id)
    await gateway.daemon.call("delete_photo", name, photo)
    return _face(name, photo)


@ROUTES.get("/faces/{image_id}/img")
async def image(image_id: str, gateway: GatewayState) -> Response:
    """Return a photo as a JPEG, upright."""
    name, photo = await _find(gateway, image_id)
    return Response(await gateway.daemon.call("photo", name, photo, LARGEST_PX, {}), media_type="image/jpeg")


@ROUTES.post("/faces/{image_id}/verify")
async def verify(
    image_id: str,
    request: Request,
    gateway: GatewayState,
    asked: compreface.Asked,
) -> dict[str, Any]:
    """Return how similar the faces in a picture are to the person in a photo."""
    picture = await read_base64_picture(request, "file")
    name, _ = await _find(gateway, image_id)
    found = await gateway.daemon.call("recognize", picture, {"remember": False})
    faces = compreface.choose_faces(found, asked.limit, asked.det_prob_threshold)
    result = [
        {"box": compreface.describe_box(face), "similarity": compreface.similarity_to(face, name)}
        for face in faces
    ]
    return await compreface.answer(gateway, asked, result)


@ROUTES.get("/subjects")
async def list_subjects(gateway: GatewayState) -> dict[str, Any]:
    """List everybody who is enrolled."""
    return {"subjects": await _names(gateway)}


@ROUTES.post("/subjects", status_code=201)
async def add_subject(body: Subject, gateway: GatewayState) -> dict[str, Any]:
    """Check whether this name can be used; nobody is listed without a photo."""
    name = check_person_name(body.subject)
    if name in await _names(gateway):
        raise Problem(400, _EXISTS, f"Subject {name} already exists")
    return {"subject": name}


@ROUTES.put("/subjects/{subject}")
async def rename_subject(subject: str, body: Subject, gateway: GatewayState) -> dict[str, Any]:
    """Rename somebody; if the new name is taken, the two people are merged."""
    if body.subject != subject and body.subject in await _names(gateway):
        await gateway.daemon.call("merge_people", [subject], body.subject)
    else:
        await gateway.daemon.call("rename_person", subject, body.subject)
    return {"updated": True}


@ROUTES.delete("/subjects")
async def delete_subjects(gateway: GatewayState) -> dict[str, Any]:
    """Remove everybody; they can be put back."""
    names = await _names(gateway)
    for name in names:
        await _remove(gateway, name)
    return {"deleted": len(names)}


@ROUTES.delete("/subjects/{subject}")
async def delete_subject(subject: str, gateway: GatewayState) -> dict[str, Any]:
    """Remove somebody with all photos; they can be put back."""
    await gateway.daemon.call("remove_person", subject)
    return {"subject": subject}


def make_image_id(name: str, photo: str) -> str:
    """Return the id of a photo: always the same, a UUID in form, as some clients parse it, and no path.

    The first six bytes depend on the name alone, so that one person's photos need to be listed to find it.

    >>> make_image_id("Anna", "b2d291741c11c2dd.jpg")
    'bf4fccd6-1625-5c21-aac3-4b0a706bd82d'
    """
    digest = _hint(name) + _digest(f"{name}\0{photo}")[: 16 - _HINT_BYTES]
    return str(uuid.UUID(bytes=digest, version=5))


def _hint(name: str) -> bytes:
    return _digest(name)[:_HINT_BYTES]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _face(name: str, photo: str) -> dict[str, Any]:
    return {"image_id": make_image_id(name, photo), "subject": name}


async def _find(gateway: Gateway, image_id: str) -> tuple[str, str]:
    """Return the person and the file name of the photo with this id; raise UnknownPhoto if there is none."""
    try:
        wanted = uuid.UUID(image_id)
    except ValueError:
        wanted = None
    if wanted is not None:
        for name in await _names(gateway):
            if _hint(name) == wanted.bytes[:_HINT_BYTES]:
                for photo in await _photos(gateway, name):
                    if make_image_id(name, photo) == str(wanted):
                        return name, photo
    raise UnknownPhoto(f"Image {image_id[:60]} not found")


async def _list_page(
    gateway: Gateway, people: list[dict[str, Any]], start: int, size: int
) -> list[dict[str, Any]]:
    """Return `size` faces from `start` on; only those people's photos are asked for who are on the page."""
    faces: list[dict[str, Any]] = []
    before = 0
    for person in people:
        skipped = max(0, start - before)
        wanted = size - len(faces)
        if wanted and skipped < person["images"]:
            photos = await _photos(gateway, person["name"])
            faces += [_face(person["name"], photo) for photo in photos[skipped : skipped + wanted]]
        before += person["images"]
    return faces


async def _photos(gateway: Gateway, name: str) -> list[str]:
    try:
        return [each["photo"] for each in await gateway.daemon.call("photos", name)]
    except UnknownPerson:
        # They were removed a moment ago.
        return []


async def _names(gateway: Gateway) -> list[str]:
    return [person["name"] for person in await gateway.daemon.call("people")]


async def _remove(gateway: Gateway, name: str) -> int:
    """Remove somebody and return how many photos that were; 0 if nobody is called that."""
    try:
        removed = await gateway.daemon.call("remove_person", name)
    except UnknownPerson:
        return 0
    return int(removed["photos"])
