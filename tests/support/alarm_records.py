"""Alarm frames, and labels as the alarm uploader writes them: to MongoDB, and to S3 as metadata."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def draw_frame(width: int = 200, height: int = 100) -> bytes:
    """A PNG whose every pixel tells where it is: red is its column, green its row."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[..., 0] = np.arange(width, dtype=np.uint8)
    rgb[..., 1] = np.arange(height, dtype=np.uint8)[:, None]
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "PNG")
    return file.getvalue()


def person(face: object, xmin: object = 0, ymin: object = 0, xmax: object = 50, ymax: object = 50) -> Any:
    """The label of a person in a box."""
    box = {"ymin": ymin, "xmin": xmin, "ymax": ymax, "xmax": xmax}
    return {"Confidence": 97.5, "Name": "person", "Box": box, "Face": face}


def whole(path: Path) -> dict[str, int]:
    """The box of a person who fills the picture."""
    with Image.open(path) as picture:
        width, height = picture.size
    return {"ymin": 0, "xmin": 0, "ymax": height, "xmax": width}


def portrait(path: Path, face: object) -> Any:
    """The label of a person who fills the picture."""
    return person(face, **whole(path))
