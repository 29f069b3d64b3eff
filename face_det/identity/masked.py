"""Masked copies of photos: drawn onto the face that each photo is about."""

from __future__ import annotations

from face_det.compute import Compute
from face_det.embedders.five_points import FivePoints
from face_det.faces import Detection, Face, Rgb
from face_det.media import mask


class Masker:
    """Draws masks; finds the points of a face by itself. Raises WeightsError without YuNet's weights."""

    def __init__(self, compute: Compute) -> None:
        self._points = FivePoints(compute)

    def __call__(self, rgb: Rgb, face: Face) -> Rgb:
        """The photo with a mask on that face."""
        return mask.masked(rgb, self._points.of(rgb, Detection(face.box, face.score)))
