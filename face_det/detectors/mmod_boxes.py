"""Decodes the scores of dlib's CNN detector into boxes, as dlib does."""

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
"""Distance from the first to the last pixel of a face's box, on its pyramid level."""

MAX_OVERLAP = 0.3382761351109955
"""Boxes that overlap more than this are one face: pixels in both, divided by the box around both."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class CandidateBoxes:
    """Boxes with a score above zero, best first, as parallel arrays.

    `boxes` (n, 4) are left, top, right, bottom in whole pixels of the image on the pyramid, including the
    last pixel; `scores` (n,); `levels` (n,) are the pyramid levels, the full size first.
    """

    boxes: Ints
    scores: Float32Array
    levels: Ints

    def select(self, which: npt.NDArray[Any]) -> CandidateBoxes:
        """Select boxes by a mask or by indices."""
        return CandidateBoxes(self.boxes[which], self.scores[which], self.levels[which])


def decode_boxes(scores: Float32Array, pyramid: TiledPyramid) -> CandidateBoxes:
    """Decode the scores of a pyramid into boxes, before duplicates are dropped."""
    rows, columns = np.nonzero(scores > 0)
    found = scores[rows, columns]
    # Stable: dlib keeps equal scores in pyramid order.
    order = np.argsort(-found, kind="stable")
    x, y = columns[order] * STRIDE_PX + CENTRE_PX, rows[order] * STRIDE_PX + CENTRE_PX
    levels = nearest_levels(x, y, pyramid)
    x, y = (
        x - np.array([level.left for level in pyramid.levels])[levels],
        y - np.array([level.top for level in pyramid.levels])[levels],
    )
    boxes = np.stack([x, y, x, y], axis=1) + BOX_SPAN_PX / 2 * np.array([-1, -1, 1, 1])
    for up in range(1, len(pyramid.levels)):
        boxes[levels >= up] = boxes[levels >= up] * 1.2 + 0.3
    return CandidateBoxes(_round_half_up(boxes), found[order], levels)


def suppress_overlapping_boxes(found: CandidateBoxes) -> CandidateBoxes:
    """Drop each box that overlaps a better one that is itself kept."""
    return found.select(non_maximum_suppression(found.boxes, pairwise_enclosed_share, MAX_OVERLAP))


def halve_boxes(boxes: Ints, doublings: int) -> Ints:
    """Convert boxes to pixels of the image before it was doubled `doublings` times."""
    small = boxes.astype(np.float64)
    for _ in range(doublings):
        small = small / 2 - np.array([1.25, 0.75, 1.25, 0.75])
    return _round_half_up(small)


def first_level(min_face_px: float, doublings: int) -> int:
    """Return the first pyramid level that can hold a face of `min_face_px`, in pixels before any doubling.

    On the levels before it, even the largest box is smaller.

    >>> first_level(40, doublings=0), first_level(160, doublings=1)
    (0, 8)
    """
    level = 0
    # Rounding the edges can lengthen a box by less than a pixel, and once more after halving.
    while (BOX_SPAN_PX * 1.2**level + 1) / 2**doublings + 1 <= min_face_px:
        level += 1
    return level


def undisturbed_level(first: int) -> int:
    """Return the first level on which no box can be a duplicate of a box on a level before `first`.

    Two boxes overlap most when one lies within the other; the overlap is then the ratio of their areas.

    >>> undisturbed_level(3)
    6
    """
    largest = BOX_SPAN_PX * 1.2 ** (first - 1) + 2
    level = first
    while largest**2 > MAX_OVERLAP * (BOX_SPAN_PX * 1.2**level) ** 2:
        level += 1
    return level


def nearest_levels(x: Ints, y: Ints, pyramid: TiledPyramid) -> Ints:
    """Find the level nearest to each point of the pyramid; the first one in a tie."""
    found = np.zeros(len(x), np.int64)
    shortest = np.full(len(x), math.inf)
    for number, level in enumerate(pyramid.levels):
        across = np.maximum(np.maximum(level.left - x, x - level.right + 1), 0)
        along = np.maximum(np.maximum(level.top - y, y - level.bottom + 1), 0)
        distance = across**2 + along**2
        nearer = distance < shortest
        found[nearer] = number
        shortest[nearer] = distance[nearer]
    return found


def _round_half_up(values: npt.NDArray[np.float64]) -> Ints:
    """Round to the nearest integer, halves upwards."""
    return np.floor(values + 0.5).astype(np.int64)
