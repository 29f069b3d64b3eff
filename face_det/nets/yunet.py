"""YuNet: images in, boxes with five landmarks out.

Decoding follows Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector" (2023).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.boxes import box_area, non_maximum_suppression, pairwise_intersection, pairwise_iou
from face_det.nets import model_cache
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.network import Float32Array
from face_det.nets.sessions.session import Session
from face_det.types import Rgb

STRIDES_PX = (8, 16, 32)
"""Pixels between neighbouring cells of the network's three output maps."""

SIDE_MULTIPLE_PX = 32
"""The sides of an input image are multiples of this."""

MAX_IOU = 0.3
"""Two boxes with a higher intersection over union are one face."""

MIN_COVERED_SHARE = 0.8
"""A box that overlaps another one by this share of its own area lies within the other."""

MAX_RAW_DETECTIONS = 5000
"""Only this many of the best raw detections are considered."""


@dataclass(frozen=True, eq=False, slots=True)
class YunetFaces:
    """The faces of one image, best first, as parallel arrays.

    `boxes` (n, 4) are left, top, right, bottom in pixels and may stick out of the image; `landmarks`
    (n, 5, 2) are the eyes, the tip of the nose and the corners of the mouth, each pair from left to
    right as seen; `scores` (n,) lie in 0..1.
    """

    boxes: Float32Array
    landmarks: Float32Array
    scores: Float32Array

    def select(self, which: npt.NDArray[np.int64]) -> YunetFaces:
        """Select faces by their indices."""
        return YunetFaces(self.boxes[which], self.landmarks[which], self.scores[which])

    @property
    def sides(self) -> Float32Array:
        """The longer side of each box, in pixels."""
        longer: Float32Array = (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1)
        return longer

    def scaled(self, across: float, down: float) -> YunetFaces:
        """Convert to the same image at another size; (0, 0) is the centre of its first pixel."""
        factors = np.array([across, down], np.float32)
        offset = np.asarray((factors - 1) / 2, np.float32)
        boxes: Float32Array = self.boxes * np.tile(factors, 2) + np.tile(offset, 2)
        return YunetFaces(boxes, self.landmarks * factors + offset, self.scores)


class Yunet:
    """The network behind cv2.FaceDetectorYN. `faces` may be called from several threads."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE) -> None:
        self._session = Session(model_cache.load_onnx_model("yunet"), compute)
        self._names = [f"{part}_{stride}" for stride in STRIDES_PX for part in ("cls", "obj", "bbox", "kps")]

    @property
    def runtime(self) -> str:
        """The name of what runs the network."""
        return self._session.name

    def faces(self, images: Sequence[Rgb], min_score: float) -> list[YunetFaces]:
        """Detect the faces of each image that score at least `min_score`; all images must have one size.

        The images are padded with black at the right and at the bottom, as OpenCV does.
        """
        if not images:
            return []
        height, width = images[0].shape[:2]
        rows, columns = height + -height % SIDE_MULTIPLE_PX, width + -width % SIDE_MULTIPLE_PX
        pixels = np.zeros((len(images), rows, columns, 3), np.uint8)
        for filled, image in zip(pixels, images, strict=True):
            filled[:height, :width] = image
        outputs = dict(zip(self._names, self._session.run({"pixels": pixels}), strict=True))
        return [
            suppress_overlapping_faces(
                decode_faces({name: value[at] for name, value in outputs.items()}, columns, min_score)
            )
            for at in range(len(images))
        ]


def decode_faces(outputs: Mapping[str, Float32Array], columns: int, min_score: float) -> YunetFaces:
    """Decode the output maps of one image into raw detections, best first, before duplicates are dropped.

    `columns` is the width of the padded image in pixels.
    """
    parts = []
    for stride in STRIDES_PX:
        classes, objects, boxes, points = (
            outputs[f"{part}_{stride}"] for part in ("cls", "obj", "bbox", "kps")
        )
        scores = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
        places = np.flatnonzero(scores >= min_score)
        rows, across = np.divmod(places, columns // stride)
        corners = np.stack([across, rows], axis=1).astype(np.float32)
        middle = (corners + boxes[places, :2]) * stride
        half = np.exp(boxes[places, 2:]) * (stride / 2)
        landmarks = (corners[:, None] + points[places].reshape(-1, 5, 2)) * stride
        parts.append(YunetFaces(np.hstack([middle - half, middle + half]), landmarks, scores[places]))
    found = merge_faces(parts)
    return found.select(np.arange(min(len(found.scores), MAX_RAW_DETECTIONS)))


def merge_faces(parts: Sequence[YunetFaces]) -> YunetFaces:
    """Merge several sets of faces into one, best first."""
    boxes, landmarks, scores = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "landmarks", "scores")
    )
    return YunetFaces(boxes, landmarks, scores).select(np.argsort(-scores, kind="stable"))


def suppress_overlapping_faces(found: YunetFaces) -> YunetFaces:
    """Drop each face that overlaps a better one that is itself kept."""
    return found.select(non_maximum_suppression(found.boxes, pairwise_iou, MAX_IOU))


def drop_covered_faces(found: YunetFaces, others: YunetFaces) -> YunetFaces:
    """Drop each face that lies within a box of `others` with a better score."""
    kept = [
        number
        for number, (box, score) in enumerate(zip(found.boxes, found.scores, strict=True))
        if not (
            pairwise_intersection(box, others.boxes)[others.scores > score]
            >= MIN_COVERED_SHARE * box_area(box)
        ).any()
    ]
    return found.select(np.array(kept, np.int64))
