"""Pictures in another size, and squares of them turned upright."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from face_det.faces import Rgb

Matrix = npt.NDArray[np.float64]
"""(2, 3): from pixels (x, y, 1) of one picture to those of another."""


def resized(rgb: Rgb, width: int, height: int) -> Rgb:
    """The picture in another size: pixels averaged where it becomes smaller, else interpolated."""
    smaller = width * height < rgb.shape[0] * rgb.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=way), np.uint8)


def moved(rgb: Rgb, matrix: Matrix, side: int) -> Rgb:
    """A square of that side, whose pixels are interpolated between the nearest four of the picture;
    black where it lies outside. `matrix` leads from the picture to the square."""
    return np.asarray(cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def square(rgb: Rgb, left: float, top: float, width: float, side: int) -> tuple[Rgb, Matrix]:
    """A square part of the picture, of any width and place, as a square of `side` pixels, and the
    matrix from there back to the picture. Black outside; averaged, not only interpolated, where many
    pixels become one."""
    step = max(int(width / side), 1)
    # Only what is seen is looked at: a part may be far larger than the picture.
    edges = np.array([left, top, left + width, top + width])
    x, y, right, bottom = np.clip([*np.floor(edges[:2]), *np.ceil(edges[2:])], 0, [*rgb.shape[1::-1]] * 2)
    seen = rgb[int(y) : int(bottom), int(x) : int(right)]
    columns, rows = seen.shape[1] // step, seen.shape[0] // step
    if not (columns and rows):
        return np.zeros((side, side, 3), np.uint8), _placed(left, top, width / side)
    if step > 1:
        seen = resized(seen[: rows * step, : columns * step], columns, rows)
    back = _placed(left, top, width / side)
    # From the square to the picture, and on to what is seen of it.
    there = back.copy()
    there[:, 2] = (back[:, 2] - [x, y] + 0.5) / step - 0.5
    there[:, :2] /= step
    drawn = cv2.warpAffine(seen, there, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(drawn, np.uint8), back


def _placed(left: float, top: float, scale: float) -> Matrix:
    return np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])
