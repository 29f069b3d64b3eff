"""Converts dlib's rectangles to detections, trimmed to the image as face_recognition trims them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from face_det.types import Box, Detection, Rgb


def rect_edges(rect: Any) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a dlib rectangle, in whole pixels.

    >>> import dlib
    >>> rect_edges(dlib.rectangle(1, 2, 30, 40))
    (1, 2, 30, 40)
    """
    return rect.left(), rect.top(), rect.right(), rect.bottom()


def detection_from_edges(rgb: Rgb, sides: Sequence[int], score: float) -> Detection:
    """Make a Detection from left, top, right and bottom in pixels, trimmed to the image.

    The numbers are dlib's own integers, as face_recognition.face_locations returns them.

    >>> import numpy as np
    >>> detection_from_edges(np.zeros((50, 60, 3), np.uint8), (-4, 10, 20, 70), 0.9).box
    Box(xmin=0.0, ymin=10.0, xmax=20.0, ymax=50.0)
    """
    left, top, right, bottom = sides
    height, width = rgb.shape[:2]
    box = Box(float(max(left, 0)), float(max(top, 0)), float(min(right, width)), float(min(bottom, height)))
    return Detection(box, float(score))
