"""Of boxes that are one face, the best: greedy non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[Any]


def best_of_each(
    boxes: Boxes, overlaps: Callable[[Boxes, Boxes], npt.NDArray[Any]], most: float
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
