"""dlib's rectangles as our detections, trimmed to the image as face_recognition trims them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from face_det.types import Box, Detection, Rgb


def rect_edges(rect: Any) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a dlib rectangle, in whole pixels."""
    return rect.left(), rect.top(), rect.right(), rect.bottom()


def detection_from_edges(rgb: Rgb, sides: Sequence[int], score: float) -> Detection:
    """Left, top, right, bottom (pixels, may stick out) as a Detection within the image.

    They are dlib's own integers, kept as face_recognition.face_locations gives them.
    """
    left, top, right, bottom = sides
    height, width = rgb.shape[:2]
    box = Box(float(max(left, 0)), float(max(top, 0)), float(min(right, width)), float(min(bottom, height)))
    return Detection(box, float(score))
