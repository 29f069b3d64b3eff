"""The routes of Ringface's classifier: a picture or a video by its path, and a new set of people."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from face_det.gateway.problems import Problem
from face_det.gateway.state import GatewayState
from face_det.media import names_somebody

ROUTES = APIRouter(tags=["ringface"])

LONGEST_FIT_S = 3600.0


class LocalImage(BaseModel):
    """A picture on the daemon's machine, under imageRoots, and the event that it belongs to."""

    model_config = ConfigDict(extra="ignore")

    imageFilePath: str
    eventName: str | None = None


class LocalVideo(BaseModel):
    """A video on the daemon's machine, under imageRoots, and the event that it belongs to."""

    model_config = ConfigDict(extra="ignore")

    videoFileName: str
    eventName: str | None = None


class FitPerson(BaseModel):
    """Somebody with the paths of their pictures."""

    personName: str
    imagePaths: list[str]


class Fit(BaseModel):
    """Everybody whom the classifier should know."""

    persons: list[FitPerson]


@ROUTES.post("/recognition/local-image")
async def local_image(body: LocalImage, gateway: GatewayState) -> dict[str, Any]:
    """Name the people in a picture; strangers are numbered within it."""
    if not gateway.config.image_roots:
        raise Problem(403, "Forbidden", "paths are answered only under imageRoots; set it in config.json")
    options = {"frame": body.imageFilePath}
    faces = await gateway.daemon.call("recognize", body.imageFilePath, options)
    named = [face["face"] for face in faces if names_somebody(face)]
    strangers = len(faces) - len(named)
    return {
        "inputFile": body.imageFilePath,
        "recognisedPersons": named,
        "unknownPersons": [f"unknown-{number}" for number in range(1, strangers + 1)],
    }


@ROUTES.post("/recognition/local-video")
async def local_video(body: LocalVideo, gateway: GatewayState) -> dict[str, Any]:
    """Name the people in a video; not possible yet."""
    del body, gateway
    raise Problem(501, "NotImplemented", "this daemon cannot read videos yet; send single pictures")
