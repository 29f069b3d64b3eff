"""Who is in a video?"""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from face_det.gateway.api.answers import json_answer
from face_det.gateway.api.arguments import upload_of
from face_det.gateway.api.video_answers import VideoPeople
from face_det.gateway.daemon import Daemon
from face_det.gateway.leaving import work_while_awaited
from face_det.gateway.state import GatewayState
from face_det.gateway.uploads import read_picture

ROUTES = APIRouter(tags=["faces"])

DEFAULT_LIMIT_S = 300
MAX_LIMIT_S = 3600
QUEUE_S = 300.0
"""How long a video may wait for others before it is begun."""
MAX_COUNT = 10**9
_KINDS = ("video/mp4", "video/webm", "video/x-matroska", "video/quicktime")

Count = Annotated[int | None, Field(ge=1, le=MAX_COUNT)]


class VideoQuery(BaseModel):
    """How a video is looked at; docs/reference/rpc.md has more about it."""

    eventName: Annotated[
        str | None, Field(max_length=1000, description="What the answer calls the event.", examples=["ring"])
    ] = None
    camera: Annotated[str | None, Field(description="Where the video was taken.", examples=["door"])] = None
    time: Annotated[
        float | None,
        Field(ge=0, le=1e11, description="When it began, in seconds since 1970.", examples=[1767225600]),
    ] = None
    remember: Annotated[bool, Field(description="Keep the faces as sightings.")] = False
    timeLimit: Annotated[float, Field(gt=0, le=MAX_LIMIT_S, description="How many seconds it may take.")] = (
        DEFAULT_LIMIT_S
    )
    searchFromPx: Annotated[
        int | None, Field(ge=1, le=10_000, description="Find faces from this width on.")
    ] = None
    eachFrame: Annotated[
        Count, Field(description="After minFrames, look only at every so many-th frame.")
    ] = None
    minFrames: Annotated[
        int | None, Field(ge=0, le=MAX_COUNT, description="Look at all of the first so many frames.")
    ] = None
    maxFrames: Annotated[Count, Field(description="Read no more frames than this.")] = None
    stopAfterEmptyFrames: Annotated[
        Count, Field(description="After somebody was seen, end when so many frames show no face.")
    ] = None


@ROUTES.post("/videos", **json_answer(VideoPeople), **upload_of("video", "A video file.", _KINDS))
async def recognize_video(
    request: Request, gateway: GatewayState, query: Annotated[VideoQuery, Query()]
) -> dict[str, Any]:
    """List the people in an uploaded video, each once; their best pictures are JPEGs in base64.

    If `timeLimit` is over before the video is, the answer is about its beginning, and `partial` says so. A
    client that disconnects ends it.
    """
    video = await read_picture(request, "video")
    asked = query.model_dump(exclude_none=True)
    return await ask_about_video(request, gateway.daemon, video, asked, query.timeLimit)


async def ask_about_video(
    request: Request,
    daemon: Daemon,
    video: str | bytes,
    options: dict[str, Any],
    limit_s: float = DEFAULT_LIMIT_S,
) -> dict[str, Any]:
    """Return who is in a video, by its path on the daemon's machine or its bytes; pictures are in base64.

    The daemon stops looking at it when the client disconnects.
    """
    asked = {**options, "timeLimit": limit_s}
    call = daemon.call("recognize_video", video, asked, timeout_s=limit_s + QUEUE_S)
    answer: dict[str, Any] = await work_while_awaited(request, call)
    for person in answer["people"]:
        thumbnail = person["best"]["thumbnail"]
        person["best"]["thumbnail"] = None if thumbnail is None else _in_base64(thumbnail)
    for stranger in answer["unknownPersons"]:
        stranger["images"] = [_in_base64(image) for image in stranger["images"]]
    return answer


def _in_base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()
