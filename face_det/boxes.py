"""How much boxes overlap, and non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.types import Box

BoxArray = npt.NDArray[Any]
"""Boxes as rows of (left, top, right, bottom) in pixels, shape (n, 4); one box has shape (4,)."""

_Floats = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int64]


def intersection_over_union(one: Box, other: Box) -> float:
    """Return the intersection over union (IoU) of two boxes, 0..1; 0 if both are empty.

    >>> intersection_over_union(Box(0, 0, 2, 2), Box(1, 0, 3, 2))
    0.3333333333333333
    """
    width = min(one.xmax, other.xmax) - max(one.xmin, other.xmin)
    height = min(one.ymax, other.ymax) - max(one.ymin, other.ymin)
    both = max(width, 0.0) * max(height, 0.0)
    whole = one.width * one.height + other.width * other.height - both
    return both / whole if whole > 0 else 0.0


def pairwise_iou(one: _Floats, others: _Floats) -> _Floats:
    """Return the IoU of one box (4,) with each of `others` (m, 4), shape (m,).

    >>> pairwise_iou(np.float32([0, 0, 2, 2]), np.float32([[0, 0, 2, 2], [1, 0, 2, 2], [2, 0, 4, 2]]))
    array([1. , 0.5, 0. ], dtype=float32)
    """
    both = pairwise_intersection(one, others)
    either = box_area(one) + box_area(others) - both
    shares: _Floats = both / np.maximum(either, np.finfo(np.float32).tiny)
    return shares


def pairwise_intersection(one: _Floats, others: _Floats) -> _Floats:
    """Return the area in pixels that one box (4,) shares with each of `others` (m, 4), shape (m,).

    >>> pairwise_intersection(np.float32([0, 0, 2, 2]), np.float32([[1, 1, 5, 5], [3, 0, 4, 1]]))
    array([1., 0.], dtype=float32)
    """
    return _area(np.maximum(one[:2], others[:, :2]), np.minimum(one[2:], others[:, 2:]))


def box_area(boxes: _Floats) -> _Floats:
    """Return the area in square pixels of each box (..., 4), shape (...); 0 for an inverted box.

    >>> box_area(np.float32([[0, 0, 2, 3], [4, 0, 2, 3]]))
    array([6., 0.], dtype=float32)
    """
    return _area(boxes[..., :2], boxes[..., 2:])


def pairwise_enclosed_share(one: _Ints, others: _Ints) -> npt.NDArray[np.float64]:
    """Return the intersection of one box (4,) and each of `others` (m, 4), as a share of the smallest
    box around both; shape (m,).

    Coordinates are whole pixels, and the right and bottom edges belong to the box.

    >>> pairwise_enclosed_share(np.array([0, 0, 1, 1]), np.array([[0, 0, 1, 1], [1, 0, 2, 1]]))
    array([1.        , 0.33333333])
    """
    inner = _whole_pixel_area(np.maximum(one[:2], others[:, :2]), np.minimum(one[2:], others[:, 2:]))
    outer = _whole_pixel_area(np.minimum(one[:2], others[:, :2]), np.maximum(one[2:], others[:, 2:]))
    return inner / outer


def non_maximum_suppression(
    boxes: BoxArray, overlaps: Callable[[BoxArray, BoxArray], npt.NDArray[Any]], most: float
) -> npt.NDArray[np.int64]:
    """Greedy non-maximum suppression (NMS): keep each box that overlaps no better kept box by more
    than `most`.

    `boxes` (n, 4) come best first. `overlaps` compares one box (4,) with others (m, 4) and returns
    shape (m,). Returns the indices of the kept boxes, best first.

    >>> boxes = np.float32([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30]])
    >>> non_maximum_suppression(boxes, pairwise_iou, 0.5)
    array([0, 2])
    """
    kept = []
    left = np.arange(len(boxes))
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[overlaps(boxes[best], boxes[left]) <= most]
    return np.array(kept, np.int64)


def _area(low: _Floats, high: _Floats) -> _Floats:
    size = np.maximum(high - low, 0)
    area: _Floats = size[..., 0] * size[..., 1]
    return area


def _whole_pixel_area(low: _Ints, high: _Ints) -> _Ints:
    size = np.maximum(high - low + 1, 0)
    area: _Ints = size[:, 0] * size[:, 1]
    return area
