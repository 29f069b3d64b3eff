"""The face routes of DeepStack and CodeProject.AI, which Blue Iris, Agent DVR and Double Take call."""

from __future__ import annotations

import contextlib
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile

from face_det import errors
from face_det.gateway.compat.stand_ins import (
    RequestError,
    describe_request_error,
    routes_with,
    similarity_of,
    whole_box,
)
from face_det.gateway.problems import Problem, status_of
from face_det.gateway.state import GatewayState
from face_det.gateway.uploads import read_form
from face_det.media import names_somebody

UNKNOWN_USER = "unknown"


def error_response(error: RequestError) -> JSONResponse:
    """Return an error as DeepStack does: {"success": false, "error"}, and `code` as CodeProject.AI does."""
    if isinstance(error, errors.FaceDetError):
        # Client errors are always 400 there.
        status = 400 if isinstance(error, errors.DataError) else status_of(error)
    elif isinstance(error, Problem):
        status = error.status
    else:
        status = getattr(error, "status_code", 400)
    return JSONResponse({"success": False, "error": describe_request_error(error), "code": status}, status)


ROUTES = APIRouter(prefix="/v1/vision", tags=["deepstack"], route_class=routes_with(error_response))


@ROUTES.post("/face")
@ROUTES.post("/face/", include_in_schema=False)
async def detect(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Find the faces in a picture, whoever they are."""
    form = await read_form(request)
    least = _min_confidence(form)
    faces = await gateway.daemon.call("recognize", await _image(form), {"remember": False})
    scored = [(face, float(face["qualityParts"]["detectorScore"])) for face in faces]
    return _answer([{"confidence": score, **whole_box(face)} for face, score in scored if score >= least])


@ROUTES.post("/face/recognize")
async def recognize(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Name the faces in a picture; a face without a name is `unknown`, with a confidence of 0."""
    form = await read_form(request)
    least = _min_confidence(form)
    faces = await gateway.daemon.call("recognize", await _image(form), None)
    return _answer([{**_name(face, least), **whole_box(face)} for face in faces])


_LEFT_OUT = (errors.NoFace, errors.SeveralFaces, errors.PhotoOfAnother, errors.BadImage)


@ROUTES.post("/face/register")
async def register(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Learn somebody from one or more pictures, in addition to what is known of them.

    Pictures without one clear face are passed over and named in `leftOut`; it is an error if none is left.
    """
    form = await read_form(request)
    name = _userid(form)
    pictures = [(key, part) for key, part in form.multi_items() if isinstance(part, UploadFile)]
    if not pictures:
        raise Problem(400, "BadRequest", "No valid image file found")
    known = name in [person["name"] for person in await gateway.daemon.call("people")]
    left_out: list[str] = []
    for field, picture in pictures:
        try:
            await gateway.daemon.call("add_face", name, await picture.read())
        except _LEFT_OUT as error:
            left_out.append(f"{field}: {error}")
    if len(left_out) == len(pictures):
        raise Problem(400, "NoFace", "; ".join(left_out))
    message = "face updated" if known else "face added"
    return {"success": True, "message": message, **({"leftOut": left_out} if left_out else {})}


@ROUTES.post("/face/list")
async def list_faces(gateway: GatewayState) -> dict[str, Any]:
    """List everybody who is enrolled."""
    return {"success": True, "faces": [person["name"] for person in await gateway.daemon.call("people")]}


@ROUTES.post("/face/delete")
async def delete(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Remove somebody with all photos; they can be put back. It is not an error if nobody has that name."""
    name = _userid(await read_form(request))
    with contextlib.suppress(errors.UnknownPerson):
        await gateway.daemon.call("remove_person", name)
    return {"success": True}


@ROUTES.post("/face/match")
async def match(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Compare the largest faces of two pictures; people who are not the same are below 0.4."""
    form = await read_form(request)
    pictures = [await _image(form, f"image{number}") for number in (1, 2)]
    answer = await gateway.daemon.call("verify", *pictures)
    return {"success": True, "similarity": similarity_of(answer)}


def _name(face: dict[str, Any], least: float) -> dict[str, Any]:
    """Return who a face is, if the daemon names it and the client's least confidence is reached."""
    if names_somebody(face) and face["faceProba"] >= least:
        return {"userid": face["face"], "confidence": face["faceProba"]}
    return {"userid": UNKNOWN_USER, "confidence": 0}


def _answer(predictions: list[dict[str, Any]]) -> dict[str, Any]:
    return {"success": True, "predictions": predictions, "count": len(predictions)}


async def _image(form: FormData, field: str = "image") -> bytes:
    part = form.get(field)
    if not isinstance(part, UploadFile):
        raise Problem(400, "BadRequest", "No valid image file found")
    return await part.read()


def _userid(form: FormData) -> str:
    name = form.get("userid")
    if not isinstance(name, str) or not name:
        raise Problem(400, "BadRequest", "userid not specified")
    return name


def _min_confidence(form: FormData) -> float:
    """Return the least confidence that the client asks for; 0 leaves the decision to the daemon."""
    text = form.get("min_confidence") or "0"
    try:
        value = float(text) if isinstance(text, str) else -1.0
    except ValueError:
        value = -1.0
    if value > 1:
        raise Problem(400, "BadRequest", "min_confidence cannot be greater than 1")
    if not value >= 0:
        raise Problem(400, "BadRequest", "Invalid value for min_confidence")
    return value
