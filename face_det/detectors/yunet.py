"""YuNet: small and fast, with the five landmarks that SFace is aligned by."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from face_det.compute import PLAIN, Compute
from face_det.faces import Box, Detection, Rgb
from face_det.media.resize import resized
from face_det.nets.yunet import Found, Yunet, distinct, merged, outside

LEAST_SCORE = 0.7
"""Of 500 photos of LFW no face in the middle is missed, at .6 none either; but in a film of people
who walk past a camera, backs of heads reach .6 to .7. Faces of 20 px, half of them, begin here."""

MOST_PIXELS = 1920 * 1080
"""Of a picture before it is doubled; a larger one is made smaller, as by Frigate."""

MOST_DOUBLED = 4 * MOST_PIXELS
"""And after: 300 MB and a third of a second."""

MOST_SIDE_PX = 8192

LARGE_PX = 480
"""Faces of more than this it begins to miss: at 640 px one in twenty, at 800 px one in ten. They are
looked for in the picture at half its size, and so on."""


class YunetDetector:
    """Boxes, landmarks and scores are those of cv2.FaceDetectorYN, in fp32, for faces up to LARGE_PX.

    Faces of all sizes are found, whatever `min_face_px`. `detect` may be called from several threads.
    """

    def __init__(self, compute: Compute = PLAIN, min_face_px: float = 0) -> None:
        self._network = Yunet(compute)
        self.runtime = self._network.runtime

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Faces of one image, best first; `score` is the network's confidence, LEAST_SCORE to 1."""
        height, width = rgb.shape[:2]
        levels = []
        for number, level in enumerate(_levels(rgb, upsample)):
            (found,) = self._network.faces([level], LEAST_SCORE)
            if number:
                found = found.only(np.flatnonzero(found.sides > LARGE_PX / 2))
            levels.append(found.scaled(width / level.shape[1], height / level.shape[0]))
        found = levels.pop()
        while levels:
            # What looks like a face in parts of a large one is none.
            found = distinct(merged([outside(levels.pop(), found), found]))
        return [*_detections(found, width, height)]


def factor(width: int, height: int, upsample: int) -> float:
    """How many times as wide and high a picture is looked at."""
    doubled = 2.0 ** max(upsample, 0)
    most = min(MOST_PIXELS * doubled**2, MOST_DOUBLED)
    return min(doubled, math.sqrt(most / (width * height)), MOST_SIDE_PX / max(width, height))


def _levels(rgb: Rgb, upsample: int) -> Iterator[Rgb]:
    """The picture as it is looked at; then at half that size, as long as a large face may be in it."""
    height, width = rgb.shape[:2]
    times = factor(width, height, upsample)
    while True:
        size = (max(round(width * times), 1), max(round(height * times), 1))
        if size != (rgb.shape[1], rgb.shape[0]):
            rgb = resized(rgb, *size)
        yield rgb
        if min(size) <= LARGE_PX:
            return
        times /= 2


def _detections(found: Found, width: int, height: int) -> Iterator[Detection]:
    for edges, points, score in zip(found.boxes.tolist(), found.landmarks, found.scores, strict=True):
        box = Box(*edges).clipped(float(width), float(height))
        if box.width > 0 and box.height > 0:
            yield Detection(box, float(score), points)
