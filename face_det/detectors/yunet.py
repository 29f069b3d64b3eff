"""YuNet: a small, fast detector with the five landmarks that SFace's alignment uses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from face_det.detectors.scaling import pyramid_levels
from face_det.nets import (
    DEFAULT_COMPUTE,
    Compute,
    Yunet,
    YunetFaces,
    drop_covered_faces,
    merge_faces,
    suppress_overlapping_faces,
)
from face_det.types import Box, Detection, Rgb

MIN_SCORE = 0.7
"""In 500 photos of LFW, no central face scores lower, and 0.6 finds no further ones. But in a film of people
walking past a camera, backs of heads score 0.6 to 0.7. Half of all faces of 20 px reach 0.7."""

LARGE_FACE_PX = 480
"""YuNet starts to miss larger faces: one in twenty at 640 px, one in ten at 800 px. They are searched
for in the image at half its size, a quarter, and so on."""


class YunetDetector:
    """Boxes, landmarks and scores are those of cv2.FaceDetectorYN, in fp32, for faces up to LARGE_FACE_PX.

    Faces of all sizes are found, whatever `min_face_px` is. `detect` may be called from several threads.
    """

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        self._network = Yunet(compute)
        self.runtime = self._network.runtime

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, best first; `score` is the network's confidence, MIN_SCORE to 1."""
        return self.detect_at(rgb, 2.0 ** max(upsample, 0))

    def detect_at(self, rgb: Rgb, scale: float) -> list[Detection]:
        """Detect the faces of an image that is resized by `scale` first, or less where it is very large."""
        height, width = rgb.shape[:2]
        levels = []
        for number, level in enumerate(pyramid_levels(rgb, scale, LARGE_FACE_PX)):
            (found,) = self._network.faces([level], MIN_SCORE)
            if number:
                found = found.select(np.flatnonzero(found.sides > LARGE_FACE_PX / 2))
            levels.append(found.scaled(width / level.shape[1], height / level.shape[0]))
        found = levels.pop()
        while levels:
            # What looks like a face inside a large face is not one.
            found = suppress_overlapping_faces(merge_faces([drop_covered_faces(levels.pop(), found), found]))
        return [*_detections(found, width, height)]


def _detections(found: YunetFaces, width: int, height: int) -> Iterator[Detection]:
    for edges, points, score in zip(found.boxes.tolist(), found.landmarks, found.scores, strict=True):
        box = Box(*edges).clipped(float(width), float(height))
        if box.width > 0 and box.height > 0:
            yield Detection(box, float(score), points)
