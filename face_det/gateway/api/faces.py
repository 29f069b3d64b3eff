"""Who is in a picture?"""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request

from face_det.gateway.state import GatewayState
from face_det.gateway.uploads import read_face_box, read_picture

ROUTES = APIRouter(tags=["faces"])


@ROUTES.post("/faces")
async def recognize(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Name the faces in an uploaded picture."""
    picture = await read_picture(request)
    start = time.monotonic()
    faces = await gateway.daemon.call("recognize", picture, None)
    return {"faces": faces, "tookMs": round((time.monotonic() - start) * 1000, 1)}


@ROUTES.post("/why")
async def why(request: Request, gateway: GatewayState) -> dict[str, Any]:
    """Explain the decision about a face of an uploaded picture; the form field `faceBox` says which."""
    picture = await read_picture(request)
    box = await read_face_box(request)
    answer: dict[str, Any] = await gateway.daemon.call("explain", picture, box)
    return answer
