"""Who is in a picture?"""

from __future__ import annotations

import base64
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from face_det.gateway.api.answers import (
    CameraFaces,
    CameraList,
    Explanation,
    Faces,
    file_answer,
    json_answer,
)
from face_det.gateway.api.arguments import CameraName, upload
from face_det.gateway.api.verification_answers import Verification
from face_det.gateway.state import GatewayState
from face_det.gateway.uploads import read_face_box, read_picture, read_pictures

ROUTES = APIRouter(tags=["faces"])

MAX_SEARCH_FROM_PX = 10_000
MAX_STREAM = 64

Stream = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_STREAM,
        description="What you call a stream of pictures: follow the faces through it.",
        examples=["tab-8f3a"],
    ),
]


@ROUTES.post("/faces", **json_answer(Faces), **upload())
async def recognize(
    request: Request,
    gateway: GatewayState,
    remember: Annotated[bool, Query(description="Keep the faces as sightings.")] = False,
    camera: Annotated[str | None, Query(description="Where the picture comes from.")] = None,
    from_px: Annotated[
        int | None,
        Query(
            alias="searchFromPx",
            ge=0,
            le=MAX_SEARCH_FROM_PX,
            description="Search only for faces from this many pixels on; without it, from minFace on.",
        ),
    ] = None,
    follow: Stream = None,
    head_pose: Annotated[
        bool | None,
        Query(alias="headPose", description="Tell where each head is turned; not with `follow`."),
    ] = None,
) -> dict[str, Any]:
    """Name the faces in an uploaded picture.

    With `searchFromPx` it is quicker, and smaller faces may be missing; the answer repeats it. With `follow`,
    the faces are followed from picture to picture, which is quicker still: each has a `track`, and one answer
    as long as it is seen. Send the pictures in order.
    """
    picture = await read_picture(request)
    start = time.monotonic()
    options: dict[str, Any] = {"camera": camera, "remember": remember}
    if from_px is not None:
        options["searchFromPx"] = from_px
    verb = "recognize" if follow is None else "follow"
    if follow is not None:
        options["stream"] = follow
    if head_pose is not None:
        options["headPose"] = head_pose
    faces = await gateway.daemon.call(verb, picture, options)
    took_ms = round((time.monotonic() - start) * 1000, 1)
    return {"faces": faces, "tookMs": took_ms, "searchFromPx": from_px}


@ROUTES.post("/why", **json_answer(Explanation), **upload(face_box=True))
async def why(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Explain the decision about a face of an uploaded picture; the form field `faceBox` says which."""
    picture = await read_picture(request)
    box = await read_face_box(request)
    answer: dict[str, Any] = await gateway.daemon.call("explain", picture, box)
    return answer


@ROUTES.post("/verify", **json_answer(Verification), **upload(other=True))
async def verify(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Say whether two uploaded pictures show the same person, by the largest face of each."""
    pictures = await read_pictures(request, ("image", "other"))
    answer: dict[str, Any] = await gateway.daemon.call("verify", *pictures)
    return answer


@ROUTES.get("/cameras", **json_answer(CameraList))
async def cameras(gateway: GatewayState) -> dict[str, Any]:
    """List the cameras in config.json, the default one first."""
    return {"cameras": [{"name": name} for name in gateway.views.cameras.names]}


@ROUTES.get("/cameras/{name}/snapshot.jpg", response_class=Response, **file_answer("image/jpeg"))
async def snapshot(name: CameraName, gateway: GatewayState) -> Response:
    """Return what a camera shows now."""
    picture, _ = await gateway.views.fetch_picture(name)
    return Response(picture, media_type="image/jpeg")


@ROUTES.post("/cameras/{name}/faces", **json_answer(CameraFaces))
async def look(name: CameraName, gateway: GatewayState, follow: Stream = None) -> dict[str, Any]:
    """Name the faces that a camera shows now; `picture` is that picture as base64, to be shown with them.

    With `follow`, faces are followed from one answer to the next.
    """
    start = time.monotonic()
    view = await gateway.views.take(name, remember=False, stream=follow)
    took_ms = round((time.monotonic() - start) * 1000, 1)
    picture = base64.b64encode(view.picture).decode()
    return {"faces": view.faces, "time": view.time_s, "tookMs": took_ms, "picture": picture}
