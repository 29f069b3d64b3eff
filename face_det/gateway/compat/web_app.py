"""The routes of the web application: detect faces in a frame, and learn somebody from a strip of examples."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, File, Form, UploadFile

from face_det.errors import NoFace, SeveralFaces
from face_det.gateway.problems import Problem
from face_det.gateway.state import GatewayState
from face_det.media import encode_jpeg, load_image, names_somebody
from face_det.types import Rgb

ROUTES = APIRouter(tags=["web app"])

MAX_EXAMPLES = 100
MAX_EXAMPLE_PX = 2000
MARGIN = 0.5
"""Examples are cut close around the face, and a detector wants to see something around it."""


@ROUTES.post("/detect")
async def detect(
    gateway: GatewayState,
    image: Annotated[UploadFile, File()],
    threshold: Annotated[float, Form(ge=0, le=1, description="The minimum confidence of a detection.")] = 0.5,
) -> list[dict[str, Any]]:
    """Return the faces in a frame: boxes in its pixels, names, and how probable they are."""
    faces = await gateway.daemon.call("recognize", await image.read(), None)
    return [_describe(face) for face in faces if face["qualityParts"]["detectorScore"] >= threshold]


@ROUTES.post("/train")
async def train(
    gateway: GatewayState,
    image: Annotated[UploadFile, File()],
    name: Annotated[str, Form()],
    num: Annotated[int, Form(ge=1, le=MAX_EXAMPLES)],
    size: Annotated[int, Form(ge=16, le=MAX_EXAMPLE_PX)],
) -> list[dict[str, Any]]:
    """Learn somebody from `num` examples, side by side in one picture, each `size` pixels wide and high.

    Examples that do not show exactly one clear face are passed over; it is an error if that leaves none.
    """
    examples = await asyncio.to_thread(_split, await image.read(), num, size)
    learnt = 0
    for example in examples:
        try:
            await gateway.daemon.call("add_face", name, example)
            learnt += 1
        except (NoFace, SeveralFaces):
            continue
    if not learnt:
        raise Problem(
            422, "NoFace", f"none of the {num} examples shows exactly one clear face; nothing was learnt"
        )
    people = await gateway.daemon.call("people")
    return [{"name": person["name"], "train_examples": person["images"]} for person in people]


def _describe(face: dict[str, Any]) -> dict[str, Any]:
    """Return a face in the web application's format."""
    box = face["faceBox"]
    known = names_somebody(face)
    candidates = face.get("candidates", [])
    if known:
        candidates = candidates or [{"name": face["face"], "proba": face["faceProba"]}]
    return {
        "x": box["xmin"],
        "y": box["ymin"],
        "w": box["xmax"] - box["xmin"],
        "h": box["ymax"] - box["ymin"],
        "confidence": face["qualityParts"]["detectorScore"],
        "name": face["face"] if known else "unknown",
        "predict_proba": face["faceProba"] if known else None,
        "predict_candidates": [candidate["name"] for candidate in candidates] or None,
        "predict_candidates_proba": [candidate["proba"] for candidate in candidates] or None,
    }


def _split(sprite: bytes, num: int, size: int) -> list[bytes]:
    """Cut a strip into its examples, each with a margin; raise BadImage or Problem if it is none."""
    rgb = load_image(sprite, place="image")
    height, width = rgb.shape[:2]
    if height < size or width < num * size:
        raise Problem(
            400, "BadRequest", f"image: must be at least {num * size} x {size} pixels, got {width} x {height}"
        )
    margin = round(size * MARGIN)
    return [
        encode_jpeg(_with_margin(rgb[:size, left : left + size], margin))
        for left in range(0, num * size, size)
    ]


def _with_margin(rgb: Rgb, margin: int) -> Rgb:
    """Return a picture with its border colour around it, `margin` pixels wide."""
    padded: Rgb = np.pad(rgb, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    return padded
