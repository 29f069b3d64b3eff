"""What the outputs of the common families of face detectors mean.

Outputs are recognised by their shapes, as every export names and orders them differently. A decoder returns
a candidate for each of the network's boxes, in pixels of its input, and raises ValueError if the outputs are
not those of its family.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from face_det.detectors.candidates import Candidates, Floats, merge_candidates

SCRFD_STRIDES = {3: (8, 16, 32), 5: (8, 16, 32, 64, 128)}
"""Pixels between neighbouring cells of the output maps, by their number."""

RETINAFACE_ANCHORS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
"""For each output map: pixels between its cells, and the sides of the anchors in each cell, in pixels."""

VARIANCES = 0.1, 0.2
"""What RetinaFace multiplies the shifts and the logarithms of the sides with."""

YUNET_STRIDES = (8, 16, 32)


@dataclass(frozen=True, slots=True)
class Decoder:
    """How a family is decoded, and the grey, 0 to 255, with which its pictures were filled up in training."""

    decode: Callable[[Sequence[Floats], int, int], Candidates]
    grey: int = 0


def decode_scrfd(outputs: Sequence[Floats], width: int, height: int) -> Candidates:
    """SCRFD: for each stride a score, the distances to the four edges in strides, and perhaps five points.

    There are one or two boxes for each cell.
    """
    scores, boxes = _by_length(outputs, 1), _by_length(outputs, 4)
    points = _by_length(outputs, 10)
    strides = SCRFD_STRIDES.get(len(scores), ())
    if not strides or len(boxes) != len(scores) or len(points) not in (0, len(scores)):
        raise ValueError(
            "must have 3 or 5 outputs each of scores (n, 1), boxes (n, 4) and, if any, points (n, 10)"
        )
    parts = []
    for at, stride in enumerate(strides):
        cells = _cells(width // stride, height // stride)
        each, left = divmod(len(scores[at]), max(len(cells), 1))
        if left or not each or len(boxes[at]) != len(scores[at]):
            raise ValueError(
                f"must have a whole number of boxes for each of {len(cells)} cells of {stride} px"
            )
        middle = np.repeat(cells, each, axis=0) * stride
        reach = boxes[at] * stride
        found = points[at].reshape(-1, 5, 2) * stride + middle[:, None] if points else None
        edges = np.hstack([middle - reach[:, :2], middle + reach[:, 2:]])
        parts.append(Candidates(edges, scores[at][:, 0], found))
    return merge_candidates(parts)


def decode_retinaface(outputs: Sequence[Floats], width: int, height: int) -> Candidates:
    """RetinaFace: shifts of anchors (n, 4), scores of background and face (n, 2), perhaps points (n, 10)."""
    shifts, scores = _only(outputs, 4), _only(outputs, 2)
    points = _by_length(outputs, 10)
    anchors = _retinaface_anchors(width, height)
    if not len(anchors) == len(shifts) == len(scores):
        raise ValueError(f"must have {len(anchors)} boxes for an input of {width} x {height}")
    middle, sides = anchors[:, :2] + shifts[:, :2] * VARIANCES[0] * anchors[:, 2:], anchors[:, 2:]
    half = sides * np.exp(shifts[:, 2:] * VARIANCES[1]) / 2
    found = None
    if points:
        found = anchors[:, None, :2] + points[0].reshape(-1, 5, 2) * VARIANCES[0] * sides[:, None]
    return Candidates(np.hstack([middle - half, middle + half]), scores[:, 1], found)


def decode_yolo_face(outputs: Sequence[Floats], width: int, height: int) -> Candidates:
    """YOLO for faces, in pixels of the input: the middle and the sides of each box, then by version:

    YOLOv5-face (1, n, 16): objectness, ten numbers of points, and the class's score, times objectness.
    YOLOv8 and later (1, 20, n): the score, and five points with a visibility each; (1, 5, n) without points.
    """
    rows = outputs[0]
    if rows.ndim == 3 and rows.shape[0] == 1 and rows.shape[2] == 16:
        rows = rows[0]
        scores, points = rows[:, 4] * rows[:, 15], rows[:, 5:15].reshape(-1, 5, 2)
    elif rows.ndim == 3 and rows.shape[0] == 1 and rows.shape[1] in (5, 20):
        rows = rows[0].T
        scores = rows[:, 4]
        points = rows[:, 5:].reshape(-1, 5, 3)[:, :, :2] if rows.shape[1] == 20 else None
    else:
        raise ValueError("its first output must have the shape (1, n, 16), (1, 20, n) or (1, 5, n)")
    middle, half = rows[:, :2], rows[:, 2:4] / 2
    return Candidates(np.hstack([middle - half, middle + half]), scores, points)


def decode_ultralight(outputs: Sequence[Floats], width: int, height: int) -> Candidates:
    """Ultra-Light (RFB-320, slim): scores of background and face (n, 2), edges as shares of sides (n, 4)."""
    scores, boxes = _only(outputs, 2), _only(outputs, 4)
    if len(scores) != len(boxes):
        raise ValueError("must have as many scores as boxes")
    return Candidates(boxes * np.array([width, height, width, height], np.float32), scores[:, 1])


def decode_yunet(outputs: Sequence[Floats], width: int, height: int) -> Candidates:
    """YuNet: for each stride two scores, whose product's root counts, boxes (n, 4) and points (n, 10)."""
    scores, boxes, points = (_by_length(outputs, length) for length in (1, 4, 10))
    if (len(scores), len(boxes), len(points)) != (6, 3, 3):
        raise ValueError("must have 6 outputs of scores (n, 1), 3 of boxes (n, 4) and 3 of points (n, 10)")
    parts = []
    for at, stride in enumerate(YUNET_STRIDES):
        cells = _cells(width // stride, height // stride)
        if {len(scores[2 * at]), len(scores[2 * at + 1]), len(boxes[at]), len(points[at])} != {len(cells)}:
            raise ValueError(f"must have one box for each of {len(cells)} cells of {stride} px")
        middle, half = (cells + boxes[at][:, :2]) * stride, np.exp(boxes[at][:, 2:]) * stride / 2
        both = np.clip(scores[2 * at][:, 0], 0, 1) * np.clip(scores[2 * at + 1][:, 0], 0, 1)
        found = (cells[:, None] + points[at].reshape(-1, 5, 2)) * stride
        parts.append(Candidates(np.hstack([middle - half, middle + half]), np.sqrt(both), found))
    return merge_candidates(parts)


DECODERS = {
    "scrfd": Decoder(decode_scrfd),
    "retinaface": Decoder(decode_retinaface),
    "yolo-face": Decoder(decode_yolo_face, grey=114),
    "ultralight": Decoder(decode_ultralight),
    "yunet": Decoder(decode_yunet),
}


def _by_length(outputs: Sequence[Floats], length: int) -> list[Floats]:
    """Return the outputs (n, length) or (1, n, length), longest first; equally long ones stay in order."""
    found = [each.reshape(-1, length) for each in outputs if _row_length(each) == length]
    return sorted(found, key=len, reverse=True)


def _row_length(output: Floats) -> int:
    whole = output.ndim == 2 or (output.ndim == 3 and output.shape[0] == 1)
    return output.shape[-1] if whole else 0


def _only(outputs: Sequence[Floats], length: int) -> Floats:
    found = _by_length(outputs, length)
    if len(found) != 1:
        raise ValueError(f"must have one output of the shape (1, n, {length}), got {len(found)}")
    return found[0]


def _cells(columns: int, rows: int) -> Floats:
    """The x and y of each cell, row by row, shape (n, 2)."""
    across, down = np.meshgrid(np.arange(columns), np.arange(rows))
    return np.stack([across, down], axis=-1).reshape(-1, 2).astype(np.float32)


def _retinaface_anchors(width: int, height: int) -> Floats:
    """The middle and the sides of each anchor in pixels, shape (n, 4)."""

    def maps() -> Iterator[Floats]:
        for stride, sides in RETINAFACE_ANCHORS:
            middle = (_cells(math.ceil(width / stride), math.ceil(height / stride)) + 0.5) * stride
            squares = np.array([[side, side] for side in sides], np.float32)
            yield np.hstack([np.repeat(middle, len(sides), axis=0), np.tile(squares, (len(middle), 1))])

    return np.concatenate([*maps()])
