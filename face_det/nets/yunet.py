"""YuNet: pictures in, boxes with five landmarks out. Decoding as in Wu, Peng and Yu, "YuNet: A Tiny
Millisecond-level Face Detector" (2023)."""

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
"""Between the places that it looks at, on its three maps."""

SIDE_MULTIPLE_PX = 32
"""Its pictures have sides that this divides."""

MAX_IOU = 0.3
"""From here on two boxes are one face: pixels in both, by pixels in either."""

MIN_COVERED_SHARE = 0.8
"""From this part of a box on, it lies within another."""

MAX_RAW_DETECTIONS = 5000
"""Of the best scores; the rest is not looked at."""


@dataclass(frozen=True, eq=False, slots=True)
class YunetFaces:
    """Faces of one picture, best first: boxes (n, 4) as left, top, right, bottom in pixels, which
    may stick out; landmarks (n, 5, 2): the eyes, the nose's tip, the corners of the mouth, each pair
    from left to right as seen; scores (n,) in 0..1."""

    boxes: Float32Array
    landmarks: Float32Array
    scores: Float32Array

    def only(self, which: npt.NDArray[np.int64]) -> YunetFaces:
        """Some of them."""
        return YunetFaces(self.boxes[which], self.landmarks[which], self.scores[which])

    @property
    def sides(self) -> Float32Array:
        """The longer side of each box, in pixels."""
        longer: Float32Array = (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1)
        return longer

    def scaled(self, across: float, down: float) -> YunetFaces:
        """The same in the picture at another size; (0, 0) is the middle of its first pixel."""
        factors = np.array([across, down], np.float32)
        offset = np.asarray((factors - 1) / 2, np.float32)
        boxes: Float32Array = self.boxes * np.tile(factors, 2) + np.tile(offset, 2)
        return YunetFaces(boxes, self.landmarks * factors + offset, self.scores)


class Yunet:
    """The network behind cv2.FaceDetectorYN; `faces` may be called from several threads."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE) -> None:
        self._session = Session(model_cache.load_onnx_model("yunet"), compute)
        self._names = [f"{part}_{stride}" for stride in STRIDES_PX for part in ("cls", "obj", "bbox", "kps")]

    @property
    def runtime(self) -> str:
        """What runs it."""
        return self._session.name

    def faces(self, pictures: Sequence[Rgb], least_score: float) -> list[YunetFaces]:
        """Faces of each picture with such a score; the pictures have one size.

        They are filled up with black at the right and below, as OpenCV does.
        """
        if not pictures:
            return []
        height, width = pictures[0].shape[:2]
        rows, columns = height + -height % SIDE_MULTIPLE_PX, width + -width % SIDE_MULTIPLE_PX
        pixels = np.zeros((len(pictures), rows, columns, 3), np.uint8)
        for filled, picture in zip(pixels, pictures, strict=True):
            filled[:height, :width] = picture
        outputs = dict(zip(self._names, self._session.run({"pixels": pixels}), strict=True))
        return [
            suppress_overlapping_faces(
                decode_faces({name: value[at] for name, value in outputs.items()}, columns, least_score)
            )
            for at in range(len(pictures))
        ]


def decode_faces(outputs: Mapping[str, Float32Array], columns: int, least_score: float) -> YunetFaces:
    """What the maps say of one picture of so many columns, best first, before doubles are dropped."""
    parts = []
    for stride in STRIDES_PX:
        classes, objects, boxes, points = (
            outputs[f"{part}_{stride}"] for part in ("cls", "obj", "bbox", "kps")
        )
        scores = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
        places = np.flatnonzero(scores >= least_score)
        rows, across = np.divmod(places, columns // stride)
        corners = np.stack([across, rows], axis=1).astype(np.float32)
        middle = (corners + boxes[places, :2]) * stride
        half = np.exp(boxes[places, 2:]) * (stride / 2)
        landmarks = (corners[:, None] + points[places].reshape(-1, 5, 2)) * stride
        parts.append(YunetFaces(np.hstack([middle - half, middle + half]), landmarks, scores[places]))
    found = merge_faces(parts)
    return found.only(np.arange(min(len(found.scores), MAX_RAW_DETECTIONS)))


def merge_faces(parts: Sequence[YunetFaces]) -> YunetFaces:
    """All of several, best first."""
    boxes, landmarks, scores = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "landmarks", "scores")
    )
    return YunetFaces(boxes, landmarks, scores).only(np.argsort(-scores, kind="stable"))


def suppress_overlapping_faces(found: YunetFaces) -> YunetFaces:
    """Those that no better one overlaps, of those that are kept themselves."""
    return found.only(non_maximum_suppression(found.boxes, pairwise_iou, MAX_IOU))


def drop_covered_faces(found: YunetFaces, others: YunetFaces) -> YunetFaces:
    """Those that do not lie within a box of `others` with a better score."""
    kept = [
        number
        for number, (box, score) in enumerate(zip(found.boxes, found.scores, strict=True))
        if not (
            pairwise_intersection(box, others.boxes)[others.scores > score]
            >= MIN_COVERED_SHARE * box_area(box)
        ).any()
    ]
    return found.only(np.array(kept, np.int64))
