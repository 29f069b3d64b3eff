"""Person detection by an ONNX model that the user brings: YOLO's two common ways of giving boxes.

The model has one input, float32 of shape (1, 3, height, width): RGB, 0 to 1. A picture is letterboxed into
it: scaled to fit, keeping its proportions, with grey around it. The first output has one of two shapes:

- (1, n, 6), as YOLOv10 and exports with NMS have it: left, top, right, bottom, score, class;
- (1, 4 + classes, n), as YOLOv8 has it: the middle's x and y, width, height, and a score for each class.

Coordinates are in pixels of the input. Class 0 is the person, as in COCO.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from face_det.boxes import non_maximum_suppression, pairwise_iou
from face_det.errors import ModelError
from face_det.media import resize_image
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.network import Float32Array
from face_det.nets.picture_model import read_onnx_file, read_picture_input
from face_det.nets.sessions.session import Session
from face_det.types import Box, Detection, Rgb

MAX_IOU = 0.5
"""Two boxes with a higher intersection over union are one person."""
PERSON_CLASS = 0
FREE_SIDE_PX = 640
"""The side of the input where the model takes any."""
_GREY = 114
_ROUNDING = 1e-3
_LARGEST_SHARE = 1.5
"""Boxes that end before this many pixels are no persons, but shares of the input."""
_COLUMNS = 6
"""Left, top, right, bottom, score, class."""


class PersonNetwork:
    """The user's own person detector; `detect` may be called from several threads."""

    def __init__(self, path: Path, compute: Compute = DEFAULT_COMPUTE) -> None:
        """Load the model. Raises ModelMissing, or ModelError if it is none that this module can use."""
        data = read_onnx_file(path)
        self._place = str(path)
        found = read_picture_input(data, self._place)
        self._name = found.name
        self._height, self._width = found.height or FREE_SIDE_PX, found.width or FREE_SIDE_PX
        self._session = Session(data, compute)

    def detect(self, rgb: Rgb, min_score: float = 0.4) -> list[Detection]:
        """Find the persons of one image that score at least `min_score` (0..1), best first.

        Boxes are in pixels of the image, clipped to it. Raises ModelError if the model answers in neither of
        the two ways, or with shares instead of pixels.
        """
        height, width = rgb.shape[:2]
        scale = min(self._width / width, self._height / height)
        fitted = resize_image(rgb, max(1, round(width * scale)), max(1, round(height * scale)))
        canvas = np.full((self._height, self._width, 3), _GREY, np.uint8)
        canvas[: fitted.shape[0], : fitted.shape[1]] = fitted
        pixels = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        output = self._session.run({self._name: pixels})[0]
        boxes, scores = _decode(output, self._place)
        likely = np.flatnonzero(scores >= min_score)
        if len(likely) and boxes[likely].max() <= _LARGEST_SHARE:
            raise ModelError(
                f"{self._place}: its boxes must be in pixels of its input, {self._width} x "
                f"{self._height}, got shares of it; export it with pixels"
            )
        order = likely[np.argsort(-scores[likely], kind="stable")]
        kept = order[non_maximum_suppression(boxes[order], pairwise_iou, MAX_IOU)]
        across, down = width / fitted.shape[1], height / fitted.shape[0]
        found = [
            Detection(
                Box(*(boxes[at] * [across, down, across, down]).tolist()).clipped(width, height),
                float(scores[at]),
            )
            for at in kept
        ]
        return [one for one in found if one.box.width > 0 and one.box.height > 0]


def _decode(output: npt.NDArray[np.float32], place: str) -> tuple[Float32Array, Float32Array]:
    """Return boxes (n, 4) as left, top, right, bottom, and the scores of persons (n,)."""
    rows = np.asarray(output, np.float32)
    if rows.ndim == 3 and rows.shape[0] == 1:
        if rows.shape[2] == _COLUMNS:
            rows = rows[0]
            persons = rows[rows[:, 5].round() == PERSON_CLASS]
            return persons[:, :4], persons[:, 4]
        if 4 < rows.shape[1] < rows.shape[2]:
            columns = rows[0].T
            half = columns[:, 2:4] / 2
            boxes = np.hstack([columns[:, :2] - half, columns[:, :2] + half])
            if columns[:, 4:].min() < -_ROUNDING or columns[:, 4:].max() > 1 + _ROUNDING:
                raise ModelError(
                    f"{place}: its first output must have boxes and scores from 0 to 1 only, got others, "
                    "as of masks or keypoints; export a model that only detects"
                )
            scores = np.where(
                columns[:, 4:].argmax(axis=1) == PERSON_CLASS, columns[:, 4 + PERSON_CLASS], np.float32(0)
            )
            return boxes, scores
    raise ModelError(
        f"{place}: its first output must have the shape (1, n, 6) or (1, 4 + classes, n), got {rows.shape}"
    )
