"""Path parameters that several routes share, and the description of an upload."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

MAX_NUMBER = 2**63 - 1
"""The largest number that the daemon's database has."""

Number = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
PersonName = Annotated[str, Path(description="A person's name.", examples=["Alice"])]
PhotoName = Annotated[str, Path(description="A photo's file name.", examples=["a.jpg"])]
CameraName = Annotated[str, Path(description="A camera in config.json.", examples=["door"])]
SightingId = Annotated[int, Path(ge=0, le=MAX_NUMBER, description="The number of a sighting.", examples=[7])]
UnknownId = Annotated[str, Path(description="The id of an unknown person.", examples=["unknown-3"])]

_FACE_BOX = "Which face to use if there are several: JSON, as in an answer's `faceBox`."


def upload(*, face_box: bool = False, other: bool = False) -> dict[str, Any]:
    """Return the /openapi.json entry of a route that takes a picture, as a file in a form or as the body.

    With `other`, the route takes two pictures, as the files `image` and `other` of a form.
    """
    file = {"type": "string", "format": "binary", "description": "A picture file, such as a JPEG."}
    properties: dict[str, Any] = {"image": file}
    if face_box:
        properties["faceBox"] = {"type": "string", "description": _FACE_BOX}
    if other:
        properties["other"] = file
    form = {"type": "object", "required": ["image", *(["other"] if other else [])], "properties": properties}
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}}
    for kind in () if other else ("image/jpeg", "image/png"):
        content[kind] = {"schema": {"type": "string", "format": "binary"}}
    described: dict[str, Any] = {"requestBody": {"required": True, "content": content}}
    if face_box:
        example = '{"ymin": 70, "xmin": 110, "ymax": 190, "xmax": 220}'
        described["parameters"] = [
            {"name": "faceBox", "in": "query", "required": False, "description": _FACE_BOX}
            | {"schema": {"type": "string"}, "example": example}
        ]
    return {"openapi_extra": described}


def upload_of(field: str, description: str, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Return the /openapi.json entry of a route that takes one file, as `field` of a form or as the body."""
    file = {"type": "string", "format": "binary", "description": description}
    form = {"type": "object", "required": [field], "properties": {field: file}}
    bare = {"schema": {"type": "string", "format": "binary"}}
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}, **dict.fromkeys(kinds, bare)}
    return {"openapi_extra": {"requestBody": {"required": True, "content": content}}}
