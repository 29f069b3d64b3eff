"""Of boxes that are one face, the best: greedy non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.types import Box

BoxArray = npt.NDArray[Any]


def non_maximum_suppression(
    boxes: BoxArray, overlaps: Callable[[BoxArray, BoxArray], npt.NDArray[Any]], most: float
) -> npt.NDArray[np.int64]:
    """Which of boxes (n, 4), best first, are left: those that overlap no better one by more than `most`
    of those that are left themselves. `overlaps` compares one (4,) with others (m, 4)."""
    kept = []
    left = np.arange(len(boxes))
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[overlaps(boxes[best], boxes[left]) <= most]
    return np.array(kept, np.int64)


def intersection_over_union(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one.xmax, other.xmax) - max(one.xmin, other.xmin)
    height = min(one.ymax, other.ymax) - max(one.ymin, other.ymin)
    both = max(width, 0.0) * max(height, 0.0)
    whole = one.width * one.height + other.width * other.height - both
    return both / whole if whole > 0 else 0.0
