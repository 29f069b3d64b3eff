"""YuNet: small and fast, faces of 10 px and more, with the five landmarks that SFace is aligned by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face_det.compute import PLAIN, Compute
from face_det.faces import Box, Detection, Rgb
from face_det.media.resize import resized
from face_det.nets.network import Floats
from face_det.nets.yunet import Found, Yunet

LEAST_SCORE = 0.65

MOST_HEIGHT_PX = 1080
MOST_WIDTH_PX = 1920


class YunetDetector:
    """Boxes and landmarks are those of cv2.FaceDetectorYN, in fp32.

    Faces of all sizes are found, whatever `min_face_px`. `detect` may be called from several threads.
    """

    def __init__(self, compute: Compute = PLAIN, min_face_px: float = 0) -> None:
        self._network = Yunet(compute)
        self.runtime = self._network.runtime

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Faces of one image, best first; `score` is the network's confidence, LEAST_SCORE..1."""
        return self.detect_all([rgb], upsample)[0]

    def detect_all(self, pictures: Sequence[Rgb], upsample: int = 0) -> list[list[Detection]]:
        """The same of each of several pictures of one size, in one batch."""
        if not pictures:
            return []
        height, width = pictures[0].shape[:2]
        factor = min(2.0**upsample, MOST_HEIGHT_PX / height, MOST_WIDTH_PX / width)
        columns, rows = max(round(width * factor), 1), max(round(height * factor), 1)
        if (rows, columns) != (height, width):
            pictures = [resized(rgb, columns, rows) for rgb in pictures]
        scale = np.array([width / columns, height / rows], np.float32)
        return [
            _detections(found, scale, width, height) for found in self._network.faces(pictures, LEAST_SCORE)
        ]


def _detections(found: Found, scale: Floats, width: int, height: int) -> list[Detection]:
    detections = []
    boxes = (found.boxes * np.tile(scale, 2)).astype(float).tolist()
    for edges, points, score in zip(boxes, found.landmarks * scale, found.scores, strict=True):
        box = Box(*edges).clipped(float(width), float(height))
        if box.width > 0 and box.height > 0:
            detections.append(Detection(box, float(score), points))
    return detections
