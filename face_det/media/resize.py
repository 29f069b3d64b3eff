"""Pictures in another size, and parts of them turned upright."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from face_det.faces import Rgb


def resized(rgb: Rgb, width: int, height: int) -> Rgb:
    """The picture in another size: pixels averaged where it becomes smaller, else interpolated."""
    smaller = width * height < rgb.shape[0] * rgb.shape[1]
    return np.asarray(
        cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR),
        np.uint8,
    )


def moved(rgb: Rgb, matrix: npt.NDArray[np.float64], side: int) -> Rgb:
    """A square of that side; `matrix` (2, 3) leads from pixels of the picture to those of the square,
    which is black where it lies outside the picture."""
    return np.asarray(cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)
