"""Raw detections of one picture as parallel arrays, until they are Detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.boxes import box_area, non_maximum_suppression, pairwise_intersection, pairwise_iou
from face_det.types import Box, Detection

MIN_COVERED_SHARE = 0.8
"""A box that shares so much of its own area with a better one lies within it."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class Candidates:
    """Boxes (n, 4) as left, top, right, bottom in pixels, scores (n,), and landmarks (n, 5, 2) or None.

    Boxes may stick out of the picture.
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats | None = None

    def select(self, which: npt.NDArray[np.int64]) -> Candidates:
        """Select candidates by their indices."""
        points = None if self.landmarks is None else self.landmarks[which]
        return Candidates(self.boxes[which], self.scores[which], points)

    def best_first(self) -> Candidates:
        """Sort by falling score; equal ones stay in order."""
        return self.select(np.argsort(-self.scores, kind="stable"))

    def moved(self, across: float, down: float, left: float = 0.0, top: float = 0.0) -> Candidates:
        """Convert to the pixels of a picture `across` and `down` times as large, in which the present one
        begins at (`left`, `top`).

        >>> Candidates(np.float32([[1, 2, 3, 4]]), np.float32([1])).moved(2, 2, left=10).boxes.tolist()
        [[12.0, 4.0, 16.0, 8.0]]
        """
        factors, offset = np.array([across, down], np.float32), np.array([left, top], np.float32)
        points = None if self.landmarks is None else self.landmarks * factors + offset
        return Candidates(self.boxes * np.tile(factors, 2) + np.tile(offset, 2), self.scores, points)

    def suppressed(self, most_iou: float) -> Candidates:
        """Drop what overlaps a better candidate that is kept by more than `most_iou`; best first."""
        ordered = self.best_first()
        return ordered.select(non_maximum_suppression(ordered.boxes, pairwise_iou, most_iou))

    def without_covered(self) -> Candidates:
        """Drop what lies within the box of a better candidate: inside a face there is no other face."""
        kept = [
            at
            for at, (box, score) in enumerate(zip(self.boxes, self.scores, strict=True))
            if not (
                pairwise_intersection(box, self.boxes)[self.scores > score]
                >= MIN_COVERED_SHARE * box_area(box)
            ).any()
        ]
        return self.select(np.array(kept, np.int64))

    def detections(self, width: int, height: int) -> list[Detection]:
        """Return Detections, best first, with boxes clipped to a picture of that size in pixels."""
        ordered = self.best_first()
        points = [None] * len(self.scores) if ordered.landmarks is None else [*ordered.landmarks]
        found = [
            Detection(Box(*edges).clipped(float(width), float(height)), float(score), each)
            for edges, score, each in zip(ordered.boxes.tolist(), ordered.scores, points, strict=True)
        ]
        return [one for one in found if one.box.width > 0 and one.box.height > 0]


def merge_candidates(parts: Sequence[Candidates]) -> Candidates:
    """Join several sets into one, best first; landmarks are kept if every set has them.

    >>> one, other = (Candidates(np.float32([[0, 0, s, s]]), np.float32([s])) for s in (1, 2))
    >>> merge_candidates([one, other]).scores.tolist()
    [2.0, 1.0]
    """
    empty = np.empty((0, 4), np.float32)
    points = [part.landmarks for part in parts if part.landmarks is not None]
    return Candidates(
        np.concatenate([empty, *(part.boxes for part in parts)]),
        np.concatenate([empty[:, 0], *(part.scores for part in parts)]),
        np.concatenate(points) if points and len(points) == len(parts) else None,
    ).best_first()
