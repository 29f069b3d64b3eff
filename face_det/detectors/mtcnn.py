"""MTCNN: three small networks, each more thorough than the one before, and five landmarks.

After Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment using Multitask Cascaded Convolutional
Networks" (2016). The networks were trained on pictures whose rows are their columns, as MATLAB has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from face_det.boxes import BoxArray, non_maximum_suppression
from face_det.budget import checkpoint
from face_det.detectors.candidates import Candidates, Floats, merge_candidates
from face_det.detectors.scaling import scale_factor
from face_det.media import resize_image
from face_det.nets import DEFAULT_COMPUTE, Compute, Session, verify_weights
from face_det.types import Detection, Rgb

LEAST_FACE_PX = 20
"""The smallest face that is searched for, before any doubling."""

WINDOW_PX = 12
"""The side of the window that the first network looks at."""

STRIDE_PX = 2
"""Pixels between neighbouring windows."""

PYRAMID_FACTOR = 0.709
"""Each level of the pyramid is so much smaller than the one before: half its pixels."""

MIN_SCORES = (0.6, 0.7, 0.7)
"""What each of the networks has to be sure of."""

MARGIN = 2.0
"""Levels whose faces are smaller than the smallest one wanted by this factor are skipped."""

BATCH = 128
"""Faces per run of the second and third networks."""


class MtcnnDetector:
    """Finds the boxes and landmarks of MTCNN, in fp32. `detect` may be called from several threads.

    With `min_face_px`, levels of the pyramid that can only hold much smaller faces are skipped.
    """

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        self._proposer, self._refiner, self._pointer = (
            Session(verify_weights(name).read_bytes(), compute)
            for name in ("mtcnn_pnet", "mtcnn_rnet", "mtcnn_onet")
        )
        self.runtime = self._proposer.name
        self._min_face_px = min_face_px

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, RGB uint8 (H, W, 3), best first; `score` is 0.7 to 1.

        Each of `upsample` doublings finds faces of half the size: 20 px, then 10 px.
        """
        height, width = rgb.shape[:2]
        parts = [self._propose(rgb, scale) for scale in self._scales(width, height, upsample)]
        found = _suppress(merge_candidates(parts), 0.7)
        if len(found.scores):
            found = self._refine(rgb, found)
        if len(found.scores):
            found = self._point(rgb, found)
        return found.detections(width, height)

    def _scales(self, width: int, height: int, upsample: int) -> Iterator[float]:
        """The levels of the pyramid, as factors by which the image is resized, the largest first."""
        scale = scale_factor(width, height, 2.0**upsample) * WINDOW_PX / LEAST_FACE_PX
        while min(width, height) * scale >= WINDOW_PX:
            if WINDOW_PX / scale * MARGIN >= self._min_face_px:
                yield scale
            scale *= PYRAMID_FACTOR

    def _propose(self, rgb: Rgb, scale: float) -> Candidates:
        """Look at each window of the resized image."""
        checkpoint()
        height, width = rgb.shape[:2]
        resized = resize_image(rgb, math.ceil(width * scale), math.ceil(height * scale))
        shifts, scores = self._proposer.run({"input_1": _as_input(resized)})
        columns, rows = np.nonzero(scores[0, :, :, 1] >= MIN_SCORES[0])
        low = np.stack([columns, rows], axis=1) * STRIDE_PX + 1
        boxes = np.fix(np.hstack([low, low + WINDOW_PX - 1]) / scale)
        # The corners are moved only after duplicates have been dropped on all levels: until then, the
        # shifts travel in the place of the landmarks.
        travelling = np.zeros((len(rows), 5, 2), np.float32)
        travelling[:, :2] = shifts[0, columns, rows].reshape(-1, 2, 2)
        found = Candidates(boxes.astype(np.float32), scores[0, columns, rows, 1], travelling)
        return _suppress(found, 0.5)

    def _refine(self, rgb: Rgb, found: Candidates) -> Candidates:
        assert found.landmarks is not None
        sides = np.tile(found.boxes[:, 2:] - found.boxes[:, :2], 2)
        squares = np.fix(_squares(found.boxes + found.landmarks[:, :2].reshape(-1, 4) * sides))
        shifts, scores = self._run_on(self._refiner, "input_2", rgb, squares, 24)
        sure = np.flatnonzero(scores[:, 1] > MIN_SCORES[1])
        moved = _shifted(squares[sure], shifts[sure])
        refined = Candidates(squares[sure], scores[sure, 1], moved.reshape(-1, 2, 2))
        kept = _suppress(refined, 0.7)
        assert kept.landmarks is not None
        return Candidates(np.fix(_squares(kept.landmarks.reshape(-1, 4))), kept.scores)

    def _point(self, rgb: Rgb, found: Candidates) -> Candidates:
        shifts, points, scores = self._run_on(self._pointer, "input_3", rgb, found.boxes, 48)
        sure = np.flatnonzero(scores[:, 1] > MIN_SCORES[2])
        boxes = found.boxes[sure]
        # All x, then all y, as shares of the box.
        shares = points[sure].reshape(-1, 2, 5).transpose(0, 2, 1)
        sides = boxes[:, 2:] - boxes[:, :2] + 1
        landmarks = shares * sides[:, None] + boxes[:, None, :2] - 1
        pointed = Candidates(_shifted(boxes, shifts[sure]), scores[sure, 1], landmarks)
        return _suppress(pointed, 0.7, of_smaller=True)

    def _run_on(self, network: Session, name: str, rgb: Rgb, squares: Floats, side: int) -> list[Floats]:
        """Run a network on what is in each square, resized to `side` pixels."""
        outputs = []
        for start in range(0, len(squares), BATCH):
            checkpoint()
            chips = [
                _cut(rgb, square, side) for square in squares[start : start + BATCH].astype(int).tolist()
            ]
            outputs.append(network.run({name: np.concatenate([_as_input(chip) for chip in chips])}))
        return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


def _as_input(rgb: Rgb) -> Floats:
    """One picture as the networks want it: columns first, -1 to 1."""
    pixels: Floats = rgb.transpose(1, 0, 2)[None].astype(np.float32)
    scaled: Floats = (pixels - np.float32(127.5)) * np.float32(1 / 128)
    return scaled


def _cut(rgb: Rgb, square: Sequence[int], side: int) -> Rgb:
    """Cut out a square, whose edges belong to it, resized to `side` pixels; black beyond the picture.

    Its coordinates count from 1.
    """
    left, top, right, bottom = square
    chip = np.zeros((max(bottom - top + 1, 1), max(right - left + 1, 1), 3), np.uint8)
    from_x, from_y = max(left, 1), max(top, 1)
    part = rgb[from_y - 1 : max(bottom, 0), from_x - 1 : max(right, 0)]
    chip[from_y - top : from_y - top + part.shape[0], from_x - left : from_x - left + part.shape[1]] = part
    return resize_image(chip, side, side)


def _squares(boxes: Floats) -> Floats:
    """The squares around the middles of boxes, with their longer sides."""
    middle, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    half = sides.max(axis=1, keepdims=True) / 2
    return np.hstack([middle - half, middle + half])


def _shifted(boxes: Floats, shifts: Floats) -> Floats:
    """Move each edge by a share of the box's side, (n, 4)."""
    sides: Floats = boxes + shifts * np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2)
    return sides


def _suppress(found: Candidates, most: float, of_smaller: bool = False) -> Candidates:
    """Drop duplicates; edges belong to boxes. The overlap is a share of both, or of the smaller one."""

    def overlaps(one: BoxArray, others: BoxArray) -> BoxArray:
        low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:], others[:, 2:])
        both = np.maximum(high - low + 1, 0).prod(axis=1)
        size, sizes = (one[2:] - one[:2] + 1).prod(), (others[:, 2:] - others[:, :2] + 1).prod(axis=1)
        shares: BoxArray = both / (np.minimum(size, sizes) if of_smaller else size + sizes - both)
        return shares

    ordered = found.best_first()
    return ordered.select(non_maximum_suppression(ordered.boxes, overlaps, most))
