"""What callers hand to the verbs, besides the uploader's list: checked, or a BadRequest with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from face_det.errors import BadRequest


def source(image: object) -> str | bytes:
    """A picture: its path, or its bytes."""
    if isinstance(image, (str, bytes)):
        return image
    raise BadRequest(f"image: must be a path or the bytes of a picture, got {type(image).__name__}")


def text(value: object, place: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise BadRequest(f"{place}: must be text, got {type(value).__name__}")
    return value


def options(given: object, *, known: tuple[str, ...]) -> Mapping[str, Any]:
    """A verb's options; None is none."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise BadRequest(f"options: must be an object, got {type(given).__name__}")
    for key in given:
        if key not in known:
            raise BadRequest(f"options.{key}: unknown; must be one of: {', '.join(known) or 'none'}")
    return given
