"""Reads annotations in COCO's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from face_det.comparison.annotations.faces import AnnotatedFace, AnnotatedPicture, Annotations
from face_det.errors import DataError
from face_det.storage import is_finite_number, parse_json
from face_det.types import Box

FACE = "face"


def read_coco(path: Path, data: bytes) -> Annotations:
    """Read `images`, `annotations` and `categories`.

    With several categories, only those whose name contains "face" are read. Raises DataError, which names
    the place, for anything else than the format.
    """
    try:
        content = parse_json(data)
    except ValueError as error:
        raise DataError(f"{path}: must be JSON, got {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise DataError(f"{path}: must be COCO's JSON with a list of images, got something else")
    wanted = _face_categories(path, content)
    faces: dict[object, list[AnnotatedFace]] = {}
    pictures: dict[object, tuple[str, tuple[int, int] | None]] = {}
    for number, image in enumerate(content["images"]):
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
            raise DataError(f"{path}: images[{number}].file_name: must be a string")
        pictures[_identifier(path, f"images[{number}].id", image.get("id"))] = (
            image["file_name"],
            _size(image),
        )
    for number, annotation in enumerate(_list(path, content, "annotations")):
        place = f"annotations[{number}]"
        if not isinstance(annotation, dict):
            raise DataError(f"{path}: {place}: must be an object, got {annotation!r:.40}")
        if wanted is not None and annotation.get("category_id") not in wanted:
            continue
        image_id = _identifier(path, f"{place}.image_id", annotation.get("image_id"))
        if image_id not in pictures:
            raise DataError(f"{path}: {place}.image_id: must be the id of an image, got {image_id!r}")
        ignored = bool(annotation.get("iscrowd") or annotation.get("ignore"))
        box = _box(path, f"{place}.bbox", annotation.get("bbox"))
        faces.setdefault(image_id, []).append(AnnotatedFace(box, ignored))
    return Annotations(
        "COCO",
        tuple(
            AnnotatedPicture(name, tuple(faces.get(number, ())), size)
            for number, (name, size) in pictures.items()
        ),
    )


def _face_categories(path: Path, content: Mapping[str, Any]) -> set[object] | None:
    """Return the ids of the categories of faces; None if all annotations are of faces."""
    listed = [each for each in _list(path, content, "categories") if isinstance(each, dict)]
    if len(listed) <= 1:
        return None
    names = {str(each.get("name")): each.get("id") for each in listed}
    wanted = {number for name, number in names.items() if FACE in name.lower()}
    if not wanted:
        raise DataError(f"{path}: categories: one must be named 'face', got {', '.join(names)}")
    return wanted


def _list(path: Path, content: Mapping[str, Any], key: str) -> list[Any]:
    found = content.get(key, [])
    if not isinstance(found, list):
        raise DataError(f"{path}: {key}: must be a list, got {type(found).__name__}")
    return found


def _identifier(path: Path, place: str, value: object) -> object:
    if not isinstance(value, (int, str)):
        raise DataError(f"{path}: {place}: must be a number or a string, got {value!r:.40}")
    return value


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _box(path: Path, place: str, value: object) -> Box:
    if not isinstance(value, list) or len(value) != 4 or not all(map(is_finite_number, value)):
        raise DataError(f"{path}: {place}: must be [left, top, width, height], got {value!r:.60}")
    left, top, width, height = map(float, value)
    return Box(left, top, left + max(width, 0.0), top + max(height, 0.0))
