"""The routes of the face recognition server for Home Assistant: motion, a look at the camera, a new face."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse

from face_det.errors import NoFace, SeveralFaces
from face_det.gateway.bodies import Body
from face_det.gateway.problems import Problem
from face_det.gateway.security.legacy import state_changing_get
from face_det.gateway.state import GatewayState

ROUTES = APIRouter(tags=["home assistant"])

_NAME = re.compile(r"[0-9a-zA-Z]+")

Camera = Annotated[str | None, Query(description="A camera in config.json; default: the first one.")]


class Recognize(Body):
    """Which camera to look at."""

    camera: str | None = None


@ROUTES.get("/motion-detected", dependencies=[Depends(state_changing_get)])
@ROUTES.post("/motion-detected")
async def motion_detected(gateway: GatewayState, camera: Camera = None) -> Response:
    """Answer at once, then name the faces that the camera shows, and keep the annotated picture."""
    gateway.motion.report(gateway.views.cameras.choose(camera).name)
    return Response()


@ROUTES.get("/recognize")
async def recognize_now(gateway: GatewayState, camera: Camera = None) -> Response:
    """Return what the camera shows now, with a box and a name on each face, as a JPEG."""
    view = await gateway.views.take(camera)
    return Response(await gateway.views.annotate(view), media_type="image/jpeg")


@ROUTES.post("/api/recognize")
async def recognize(gateway: GatewayState, body: Recognize | None = None) -> dict[str, Any]:
    """Name the faces that the camera shows now; for a `rest_command`."""
    view = await gateway.views.take(body.camera if body else None)
    return {"camera": view.camera, "time": view.time_s, "faces": view.faces}


@ROUTES.get("/last-detection.jpg")
async def last_detection(gateway: GatewayState, camera: Camera = None) -> Response:
    """Return the annotated picture of the last motion."""
    picture = gateway.views.last(camera)
    if picture is None:
        raise Problem(404, "NotFound", "no motion has been processed since the start")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@ROUTES.get("/add-face/{name}", dependencies=[Depends(state_changing_get)])
@ROUTES.post("/add-face/{name}")
async def add_face(name: str, request: Request, gateway: GatewayState, camera: Camera = None) -> Response:
    """Enrol the one face that the camera shows now; the next call knows it."""
    if not _NAME.fullmatch(name):
        raise Problem(400, "BadName", "Invalid name provided for training sample.")
    picture, _ = await gateway.views.fetch_picture(camera)
    try:
        await gateway.daemon.call("add_face", name, picture)
    except SeveralFaces as error:
        problem = "Multiple faces detected in the image, cannot save training data."
        raise Problem(422, "SeveralFaces", problem) from error
    except NoFace as error:
        raise Problem(422, "NoFace", "No faces detected in the image, cannot save training data.") from error
    return PlainTextResponse("OK")
