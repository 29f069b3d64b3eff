"""From the scores of dlib's CNN detector to boxes, as dlib reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.boxes import non_maximum_suppression, pairwise_enclosed_share
from face_det.detectors.mmod_pyramid import CENTRE_PX, STRIDE_PX, TiledPyramid
from face_det.nets import Float32Array

BOX_SPAN_PX = 79.0
"""From the first to the last pixel of a face's box, on its level of the pyramid."""

MAX_OVERLAP = 0.3382761351109955
"""From here on two boxes are one face: pixels in both, by pixels of the box around both."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class CandidateBoxes:
    """Places with a score above zero, best first: boxes (n, 4) as left, top, right, bottom in whole
    pixels of the image on the sheet, the last pixel included; scores (n,); levels (n,)."""

    boxes: Ints
    scores: Float32Array
    levels: Ints

    def only(self, which: npt.NDArray[Any]) -> CandidateBoxes:
        """Some of them."""
        return CandidateBoxes(self.boxes[which], self.scores[which], self.levels[which])


def decode_boxes(scores: Float32Array, on: TiledPyramid) -> CandidateBoxes:
    """All boxes that the scores of a sheet stand for, before doubles are dropped."""
    rows, columns = np.nonzero(scores > 0)
    found = scores[rows, columns]
    # Stable: dlib keeps equal scores in the order of the sheet.
    order = np.argsort(-found, kind="stable")
    x, y = columns[order] * STRIDE_PX + CENTRE_PX, rows[order] * STRIDE_PX + CENTRE_PX
    levels = nearest_levels(x, y, on)
    x, y = (
        x - np.array([level.left for level in on.levels])[levels],
        y - np.array([level.top for level in on.levels])[levels],
    )
    boxes = np.stack([x, y, x, y], axis=1) + BOX_SPAN_PX / 2 * np.array([-1, -1, 1, 1])
    for up in range(1, len(on.levels)):
        boxes[levels >= up] = boxes[levels >= up] * 1.2 + 0.3
    return CandidateBoxes(_round_half_up(boxes), found[order], levels)


def suppress_overlapping_boxes(found: CandidateBoxes) -> CandidateBoxes:
    """Those that no better one overlaps, of those that are kept themselves."""
    return found.only(non_maximum_suppression(found.boxes, pairwise_enclosed_share, MAX_OVERLAP))


def halve_boxes(boxes: Ints, doublings: int) -> Ints:
    """The same boxes in the image before it was doubled in size that many times."""
    small = boxes.astype(np.float64)
    for _ in range(doublings):
        small = small / 2 - np.array([1.25, 0.75, 1.25, 0.75])
    return _round_half_up(small)


def first_level(min_face_px: float, doublings: int) -> int:
    """The first level of the pyramid that can hold a face of that size (in pixels of the image
    before it was doubled): on those below it, even the largest box falls short."""
    level = 0
    # Rounding the edges can lengthen a box by less than a pixel, and once more after halving.
    while (BOX_SPAN_PX * 1.2**level + 1) / 2**doublings + 1 <= min_face_px:
        level += 1
    return level


def undisturbed_level(first: int) -> int:
    """The first level on which no box can be a double of a box on a level below `first`.

    Two boxes overlap the most when one lies within the other; then it is their areas' ratio.
    """
    largest = BOX_SPAN_PX * 1.2 ** (first - 1) + 2
    level = first
    while largest**2 > MAX_OVERLAP * (BOX_SPAN_PX * 1.2**level) ** 2:
        level += 1
    return level


def nearest_levels(x: Ints, y: Ints, on: TiledPyramid) -> Ints:
    """The level nearest to each point of the sheet; the first, where two are as near."""
    found = np.zeros(len(x), np.int64)
    shortest = np.full(len(x), math.inf)
    for number, level in enumerate(on.levels):
        across = np.maximum(np.maximum(level.left - x, x - level.right + 1), 0)
        along = np.maximum(np.maximum(level.top - y, y - level.bottom + 1), 0)
        distance = across**2 + along**2
        nearer = distance < shortest
        found[nearer] = number
        shortest[nearer] = distance[nearer]
    return found


def _round_half_up(values: npt.NDArray[np.float64]) -> Ints:
    """To the nearest whole number, halves upwards."""
    return np.floor(values + 0.5).astype(np.int64)
