"""YuNet: pictures in, boxes with five landmarks out. Decoding as in Wu, Peng and Yu, "YuNet: A Tiny
Millisecond-level Face Detector" (2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.compute import PLAIN, Compute
from face_det.faces import Rgb
from face_det.nets import graph_cache
from face_det.nets.doubles import best_of_each
from face_det.nets.network import Floats
from face_det.nets.runtime import Session

STRIDES_PX = (8, 16, 32)
"""Between the places that it looks at, on its three maps."""

MULTIPLE_PX = 32
"""Its pictures have sides that this divides."""

OVERLAP = 0.3
"""From here on two boxes are one face: pixels in both, by pixels in either."""

COVERED = 0.8
"""From this part of a box on, it lies within another."""

MOST_PLACES = 5000
"""Of the best scores; the rest is not looked at."""


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """Faces of one picture, best first: boxes (n, 4) as left, top, right, bottom in pixels, which
    may stick out; landmarks (n, 5, 2): the eyes, the nose's tip, the corners of the mouth, each pair
    from left to right as seen; scores (n,) in 0..1."""

    boxes: Floats
    landmarks: Floats
    scores: Floats

    def only(self, which: npt.NDArray[np.int64]) -> Found:
        """Some of them."""
        return Found(self.boxes[which], self.landmarks[which], self.scores[which])

    @property
    def sides(self) -> Floats:
        """The longer side of each box, in pixels."""
        longer: Floats = (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1)
        return longer

    def scaled(self, across: float, down: float) -> Found:
        """The same in the picture at another size; (0, 0) is the middle of its first pixel."""
        factors = np.array([across, down], np.float32)
        offset = np.asarray((factors - 1) / 2, np.float32)
        boxes: Floats = self.boxes * np.tile(factors, 2) + np.tile(offset, 2)
        return Found(boxes, self.landmarks * factors + offset, self.scores)


class Yunet:
    """The network behind cv2.FaceDetectorYN; `faces` may be called from several threads."""

    def __init__(self, compute: Compute = PLAIN) -> None:
        self._session = Session(graph_cache.load("yunet"), compute)
        self._names = [f"{part}_{stride}" for stride in STRIDES_PX for part in ("cls", "obj", "bbox", "kps")]

    @property
    def runtime(self) -> str:
        """What runs it."""
        return self._session.name

    def faces(self, pictures: Sequence[Rgb], least_score: float) -> list[Found]:
        """Faces of each picture with such a score; the pictures have one size.

        They are filled up with black at the right and below, as OpenCV does.
        """
        if not pictures:
            return []
        height, width = pictures[0].shape[:2]
        rows, columns = height + -height % MULTIPLE_PX, width + -width % MULTIPLE_PX
        pixels = np.zeros((len(pictures), rows, columns, 3), np.uint8)
        for filled, picture in zip(pixels, pictures, strict=True):
            filled[:height, :width] = picture
        outputs = dict(zip(self._names, self._session.run({"pixels": pixels}), strict=True))
        return [
            distinct(decoded({name: value[at] for name, value in outputs.items()}, columns, least_score))
            for at in range(len(pictures))
        ]


def decoded(outputs: Mapping[str, Floats], columns: int, least_score: float) -> Found:
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
        parts.append(Found(np.hstack([middle - half, middle + half]), landmarks, scores[places]))
    found = merged(parts)
    return found.only(np.arange(min(len(found.scores), MOST_PLACES)))


def merged(parts: Sequence[Found]) -> Found:
    """All of several, best first."""
    boxes, landmarks, scores = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "landmarks", "scores")
    )
    return Found(boxes, landmarks, scores).only(np.argsort(-scores, kind="stable"))


def distinct(found: Found) -> Found:
    """Those that no better one overlaps, of those that are kept themselves."""
    return found.only(best_of_each(found.boxes, _overlaps, OVERLAP))


def outside(found: Found, others: Found) -> Found:
    """Those that do not lie within a box of `others` with a better score."""
    kept = [
        number
        for number, (box, score) in enumerate(zip(found.boxes, found.scores, strict=True))
        if not (_shared(box, others.boxes)[others.scores > score] >= COVERED * _area(box[:2], box[2:])).any()
    ]
    return found.only(np.array(kept, np.int64))


def _overlaps(one: Floats, others: Floats) -> Floats:
    """Pixels in both boxes, by pixels in either."""
    both = _shared(one, others)
    either = _area(one[:2], one[2:]) + _area(others[:, :2], others[:, 2:]) - both
    shares: Floats = both / np.maximum(either, np.finfo(np.float32).tiny)
    return shares


def _shared(one: Floats, others: Floats) -> Floats:
    return _area(np.maximum(one[:2], others[:, :2]), np.minimum(one[2:], others[:, 2:]))


def _area(low: Floats, high: Floats) -> Floats:
    size = np.maximum(high - low, 0)
    area: Floats = size[..., 0] * size[..., 1]
    return area
