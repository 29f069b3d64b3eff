"""Persons without their faces, cut out of real photos, and a network that encodes persons."""

from __future__ import annotations

from pathlib import Path

import onnx
import PIL.Image
import PIL.ImageOps
from onnx import TensorProto, helper

SPACE_SUIT = (60, 180, 460, 510)
"""The astronaut from the shoulders down, in pixels of the photo."""
HEAD = (170, 0, 340, 190)
STRANGERS = {
    "obama": (0.05, 0.35, 0.95, 1.0),
    "obama2": (0.0, 0.45, 1.0, 0.9),
    "obama3": (0.15, 0.25, 1.0, 1.0),
    "biden": (0.0, 0.25, 1.0, 1.0),
    "grace_hopper": (0.05, 0.45, 0.95, 1.0),
    "t1": (0.0, 0.25, 0.16, 0.9),
    "carphone": (0.2, 0.5, 0.8, 1.0),
    "hanks": (0.0, 0.6, 1.0, 1.0),
}
"""Where somebody is, without the face, as shares of the photo's width and height."""


def draw_visits(folder: Path, photos: dict[str, Path], name: str, strangers: int = 30) -> Path:
    """Write folder/NAME/VISIT/FILE: two visits of `name` in the space suit, and visits of strangers."""
    with PIL.Image.open(photos["astronaut"]) as photo:
        suit = photo.convert("RGB")
    for visit in range(2):
        for frame in range(3):
            by = 8 * visit - 6 * frame
            _save(
                folder / name / f"visit-{visit}" / f"{frame}.jpg",
                suit.crop([edge + by for edge in SPACE_SUIT]),
            )
    for number in range(strangers):
        key = [*STRANGERS][number % len(STRANGERS)]
        with PIL.Image.open(photos[key]) as photo:
            rgb = photo.convert("RGB")
        left, top, right, bottom = STRANGERS[key]
        narrower = 0.008 * (number // len(STRANGERS))
        box = (left + narrower, top + narrower, right - narrower, bottom)
        sides = (rgb.width, rgb.height) * 2
        part = rgb.crop([round(share * side) for share, side in zip(box, sides, strict=True)])
        _save(
            folder / "Unknown" / f"stranger-{number}" / "1.jpg",
            PIL.ImageOps.mirror(part) if number % 2 else part,
        )
    return folder


def without_head(photos: dict[str, Path], path: Path) -> Path:
    """Write the astronaut's photo with grey where the head is: nobody can find a face in it."""
    with PIL.Image.open(photos["astronaut"]) as photo:
        rgb = photo.convert("RGB")
    rgb.paste((120, 120, 120), HEAD)
    rgb.save(path, quality=95)
    return path


def _save(path: Path, picture: PIL.Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=92)


def save_model(path: Path, shape=("n", 3, 8, 4), keepdims: int = 0) -> Path:
    """Write a model that answers with the mean of each channel."""
    node = helper.make_node("ReduceMean", ["pixels"], ["out"], axes=[2, 3], keepdims=keepdims)
    graph = helper.make_graph(
        [node],
        "means",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path
