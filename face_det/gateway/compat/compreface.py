"""CompreFace's REST API: who is in a picture.

A face that is not named has no subjects, as in CompreFace with nobody enrolled (docs/adr/0026-stand-ins.md).
The face collection, that is, everybody who is enrolled, is in its own module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from face_det import errors
from face_det.gateway.compat.stand_ins import (
    HIGHEST_UNNAMED,
    RequestError,
    describe_request_error,
    routes_with,
    similarity_of,
    whole_box,
)
from face_det.gateway.problems import Problem, status_of
from face_det.gateway.state import Gateway, GatewayState
from face_det.gateway.uploads import read_base64_picture, read_pictures
from face_det.media import names_somebody

JSON_PICTURES = re.compile(
    r"/api/v1/(detection/detect|verification/verify|recognition/(recognize|faces(/[^/]+/verify)?))"
)
"""The paths of routes that take a picture as base64 in JSON."""

NO_FACE = 28
NO_FACE_SAID = "No face is found in the given image"
"""Clients compare this sentence, so it is CompreFace's to the letter."""

_CODES: tuple[tuple[type[errors.FaceDetError], int, int], ...] = (
    # The first class that fits decides: its HTTP status, and CompreFace's code.
    (errors.UnknownPerson, 404, 42),
    (errors.UnknownPhoto, 404, 44),
    (errors.SeveralFaces, 400, 31),
    (errors.BadImage, 400, 21),
    (errors.DataError, 400, 26),
)
_FAILED = 41
_MISSING = 33
_WRONG = 36


def error_response(error: RequestError) -> JSONResponse:
    """Return an error as CompreFace does: {"message", "code"}."""
    if isinstance(error, errors.NoFace):
        return _error(400, NO_FACE, NO_FACE_SAID)
    said = describe_request_error(error)
    if isinstance(error, errors.FaceDetError):
        for kind, status, code in _CODES:
            if isinstance(error, kind):
                return _error(status, code, said)
        return _error(status_of(error), _FAILED, said)
    if isinstance(error, RequestValidationError):
        missing = any(fault["type"] == "missing" for fault in error.errors())
        return _error(400, _MISSING if missing else _WRONG, said)
    if isinstance(error, Problem):
        return _error(error.status, int(error.code) if error.code.isdecimal() else _WRONG, said)
    return _error(error.status_code, _WRONG, said)


def _error(status: int, code: int, message: str) -> JSONResponse:
    return JSONResponse({"message": message, "code": code}, status)


ROUTES = APIRouter(prefix="/api/v1", tags=["compreface"], route_class=routes_with(error_response))

Count = Annotated[int, Query(ge=1, description="At most this many subjects per face.")]


@dataclass
class FaceQuery:
    """What all routes about the faces in a picture can be asked for."""

    limit: Annotated[int, Query(ge=0, description="At most this many faces, largest first; 0: all.")] = 0
    det_prob_threshold: Annotated[
        float, Query(ge=0, le=1, description="The minimum confidence of a detection.")
    ] = 0
    status: Annotated[bool, Query(description="Report which networks were used.")] = False


Asked = Annotated[FaceQuery, Depends()]


@ROUTES.post("/recognition/recognize")
async def recognize(
    request: Request,
    gateway: GatewayState,
    asked: Asked,
    prediction_count: Count = 1,
) -> dict[str, Any]:
    """Name the faces in a picture; a face that is not named has no subjects."""
    picture = await read_base64_picture(request, "file")
    found = await gateway.daemon.call("recognize", picture, None)
    faces = choose_faces(found, asked.limit, asked.det_prob_threshold)
    result = [
        {"box": describe_box(face), "subjects": list_subjects(face, prediction_count)} for face in faces
    ]
    return await answer(gateway, asked, result)


@ROUTES.post("/detection/detect")
async def detect(request: Request, gateway: GatewayState, asked: Asked) -> dict[str, Any]:
    """Find the faces in a picture, whoever they are."""
    picture = await read_base64_picture(request, "file")
    found = await gateway.daemon.call("recognize", picture, {"remember": False})
    faces = choose_faces(found, asked.limit, asked.det_prob_threshold)
    return await answer(gateway, asked, [{"box": describe_box(face)} for face in faces])


@ROUTES.post("/verification/verify")
async def verify(request: Request, gateway: GatewayState, asked: Asked) -> dict[str, Any]:
    """Compare the largest face of `source_image` with those of `target_image`, the most similar first."""
    pictures = await read_pictures(request, ("source_image", "target_image"), base64_too=True)
    found = await gateway.daemon.call("verify", *pictures)
    choose_faces([found], 0, asked.det_prob_threshold)
    faces = choose_faces(found["faces"], asked.limit, asked.det_prob_threshold)
    comparable = sorted((face for face in faces if "same" in face), key=similarity_of, reverse=True)
    matches = [{"box": describe_box(face), "similarity": similarity_of(face)} for face in comparable]
    result = {"source_image_face": {"box": describe_box(found)}, "face_matches": matches}
    return await answer(gateway, asked, [result])


async def answer(gateway: Gateway, asked: FaceQuery, result: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the result, and the names of the networks if they were asked for."""
    return {"result": result, **(await name_networks(gateway) if asked.status else {})}


def choose_faces(faces: Iterable[dict[str, Any]], limit: int, threshold: float) -> list[dict[str, Any]]:
    """Return the faces that are certain enough, the largest first; raise NoFace if none is left."""
    certain = [face for face in faces if _score(face) >= threshold]
    if not certain:
        raise errors.NoFace(NO_FACE_SAID)
    certain.sort(key=_area, reverse=True)
    return certain[:limit] if limit else certain


def describe_box(face: dict[str, Any]) -> dict[str, Any]:
    """Return a face's box as CompreFace does, with the detector's confidence in it."""
    return {"probability": _score(face), **whole_box(face)}


def list_subjects(face: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return who a face is: its name if it has one, and for a `count` above 1 who else it may be.

    >>> list_subjects({"face": "Anna", "faceProba": 0.98}, 1)
    [{'subject': 'Anna', 'similarity': 0.98}]
    >>> list_subjects({"face": None, "candidates": [{"name": "Anna", "proba": 0.9}]}, 1)
    []
    >>> list_subjects({"face": None, "candidates": [{"name": "Anna", "proba": 0.9}]}, 2)
    [{'subject': 'Anna', 'similarity': 0.351}]
    """
    named = names_somebody(face)
    subjects = [_subject(face["face"], face["faceProba"])] if named else []
    if count > 1:
        for candidate in face.get("candidates", []):
            if not named or candidate["name"] != face["face"]:
                subjects.append(_subject(candidate["name"], candidate["proba"] * HIGHEST_UNNAMED))
    return subjects[:count]


def similarity_to(face: dict[str, Any], name: str) -> float:
    """Return how similar a face is to a person, on the scale of `list_subjects`; 0 if it is not.

    >>> similarity_to({"face": "Anna", "faceProba": 0.98}, "Berta")
    0.0
    """
    subjects = list_subjects(face, 1000)
    return next((each["similarity"] for each in subjects if each["subject"] == name), 0.0)


async def name_networks(gateway: Gateway) -> dict[str, Any]:
    """Return what CompreFace adds to an answer if `status` is true."""
    said = await gateway.daemon.call("status")
    return {"plugins_versions": {"detector": said["detector"], "calculator": said["embedder"]}}


def _subject(name: str, similarity: float) -> dict[str, Any]:
    return {"subject": name, "similarity": round(similarity, 5)}


def _score(face: dict[str, Any]) -> float:
    return float(face["qualityParts"]["detectorScore"])


def _area(face: dict[str, Any]) -> int:
    box = whole_box(face)
    return (box["x_max"] - box["x_min"]) * (box["y_max"] - box["y_min"])
