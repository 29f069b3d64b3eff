"""dlib's rectangles as our detections, trimmed to the image as face_recognition trims them."""

from __future__ import annotations

from typing import Any

from face_det.faces import Box, Detection, Rgb


def detection(rgb: Rgb, rect: Any, score: float) -> Detection:
    """A dlib rectangle (pixels, may stick out) as a Detection within the image.

    The edges are dlib's own integers, kept as face_recognition.face_locations gives them.
    """
    height, width = rgb.shape[:2]
    box = Box(
        float(max(rect.left(), 0)),
        float(max(rect.top(), 0)),
        float(min(rect.right(), width)),
        float(min(rect.bottom(), height)),
    )
    return Detection(box, float(score))
