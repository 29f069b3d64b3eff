"""The routes of Ringface's classifier: a picture or a video by its path, and a new set of people."""

from __future__ import annotations

import logging
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, FailFast

from face_det.errors import BadImage, NoFace, SeveralFaces, VideoError
from face_det.gateway.api.videos import ask_about_video
from face_det.gateway.problems import Problem
from face_det.gateway.state import Gateway, GatewayState
from face_det.media import names_somebody

ROUTES = APIRouter(tags=["ringface"])

_LOG = logging.getLogger(__name__)


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
    imagePaths: Annotated[list[str], FailFast()]


class Fit(BaseModel):
    """Everybody whom the classifier should know."""

    persons: Annotated[list[FitPerson], FailFast()]


@ROUTES.post("/classifier/fit")
async def fit(body: Fit, gateway: GatewayState) -> dict[str, Any]:
    """Enrol everybody's pictures, and return what was learnt of each.

    Pictures that show no clear face or several, or cannot be read under imageRoots, are left out, and the
    log says so. Others who are enrolled stay so.
    """
    _require_image_roots(gateway)
    persons = [
        {
            "personName": person.personName,
            "imagePaths": person.imagePaths,
            "encodings": [
                encoding
                for path in person.imagePaths
                if (encoding := await _enrol(gateway, person.personName, path)) is not None
            ],
        }
        for person in body.persons
    ]
    status = await gateway.daemon.call("status")
    model = status["model"] or {"file": ""}
    return {"persons": persons, "fittedClassifierFile": PurePath(model["file"]).name}


async def _enrol(gateway: Gateway, name: str, path: str) -> list[float] | None:
    """Enrol a picture by its path and return its encoding; None if it is no picture of one clear face."""
    try:
        learnt = await gateway.daemon.call("add_face", name, path, {"encoding": True})
    except (BadImage, NoFace, SeveralFaces) as error:
        _LOG.warning("skipped a picture of %s: %s: %s", name, type(error).__name__, error)
        return None
    encoding: list[float] = learnt["encoding"]
    return encoding


def _require_image_roots(gateway: Gateway) -> None:
    """Raise Problem (403) if any file of the machine could be asked for."""
    if not gateway.config.image_roots:
        raise Problem(403, "Forbidden", "paths are only accepted under imageRoots; set it in config.json")


@ROUTES.post("/recognition/local-image")
async def local_image(body: LocalImage, gateway: GatewayState) -> dict[str, Any]:
    """Name the people in a picture; strangers are numbered within it."""
    _require_image_roots(gateway)
    options = {"frame": body.imageFilePath}
    try:
        faces = await gateway.daemon.call("recognize", body.imageFilePath, options)
    except BadImage as error:
        # The daemon's message would name folders, and reveal which files exist.
        _LOG.warning("%s", error)
        problem = "imageFilePath: must be the path of a picture under imageRoots"
        raise Problem(422, "BadImage", problem) from error
    named = [face["face"] for face in faces if names_somebody(face)]
    strangers = len(faces) - len(named)
    return {
        "inputFile": body.imageFilePath,
        "recognisedPersons": named,
        "unknownPersons": [f"unknown-{number}" for number in range(1, strangers + 1)],
    }


@ROUTES.post("/recognition/local-video")
async def local_video(request: Request, body: LocalVideo, gateway: GatewayState) -> dict[str, Any]:
    """Name the people in a video; strangers have the numbers of unknown people or, without any, of the video.

    `images` has a stranger's best picture, as a JPEG in base64; no files are written for `imagePaths`.
    """
    _require_image_roots(gateway)
    options = {} if body.eventName is None else {"eventName": body.eventName}
    try:
        answer = await ask_about_video(request, gateway.daemon, body.videoFileName, options)
    except VideoError as error:
        # As for pictures: the daemon's message would name folders, and reveal which files exist.
        _LOG.warning("%s", error)
        problem = "videoFileName: must be the path of a video under imageRoots"
        raise Problem(422, "VideoError", problem) from error
    if answer["partial"] is not None:
        _LOG.warning("%s: %s", body.videoFileName, answer["partial"])
    return {
        "videoFile": body.videoFileName,
        "eventName": body.eventName,
        "recognisedPersons": answer["recognisedPersons"],
        "unknownPersons": answer["unknownPersons"],
    }
