"""OpenCV's cascades of boosted features (Viola and Jones, 2001), which several detectors use."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import cv2.data
import numpy as np

from face_det.budget import checkpoint
from face_det.detectors.candidates import Candidates, merge_candidates
from face_det.detectors.scaling import resize_by, scale_factor
from face_det.errors import WeightsError
from face_det.types import Detection, Rgb

MIN_NEIGHBOURS = 5
"""A face is reported if the cascade accepts so many windows around it."""

LEAST_WINDOW_PX = 20
"""The smallest window of any of the cascades."""

MARGIN = 2.0
"""How much smaller than the smallest face wanted the windows are that are looked at: those that are accepted
around one face differ in size."""

MAX_IOU = 0.3
"""Two boxes of different cascades with a higher intersection over union are one face."""


class Cascade:
    """One cascade, from the text of its XML file; `find` may be called from several threads.

    `mirrored` searches the mirror image, for faces that look the other way.
    """

    def __init__(self, path: Path, text: str, mirrored: bool = False) -> None:
        self._cascade = cv2.CascadeClassifier()
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        if not self._cascade.read(storage.getFirstTopLevelNode()):
            raise WeightsError(
                f"{path}: must hold a cascade of OpenCV, got another file; reinstall its package"
            )
        self._mirrored = mirrored
        # A cascade keeps the picture and its scales while it works.
        self._lock = threading.Lock()

    def find(self, grey: Any, least_px: int) -> Candidates:
        """Find faces in a grey picture (H, W) uint8, from about `least_px` pixels on, in any order.

        A score is the sum of the last stage, which only serves to compare faces that one cascade found.
        """
        with self._lock:
            found, _, scores = self._cascade.detectMultiScale3(
                np.ascontiguousarray(grey[:, ::-1]) if self._mirrored else grey,
                minNeighbors=MIN_NEIGHBOURS,
                minSize=(least_px, least_px),
                outputRejectLevels=True,
            )
        boxes = np.array(found, np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        if self._mirrored:
            boxes[:, [0, 2]] = grey.shape[1] - boxes[:, [2, 0]]
        return Candidates(boxes, np.array(scores, np.float32).reshape(-1))


class CascadeDetector:
    """Finds the faces that any of its cascades finds; it runs in OpenCV, whatever `compute` asks for."""

    runtime = "opencv"

    def __init__(self, cascades: Sequence[Cascade], min_face_px: float) -> None:
        self._cascades = cascades
        self._min_face_px = min_face_px

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, RGB uint8 (H, W, 3), best first.

        The image is doubled in size `upsample` times first, or less where it is very large.
        """
        height, width = rgb.shape[:2]
        resized = resize_by(rgb, scale_factor(width, height, 2.0**upsample))
        grey = cv2.cvtColor(resized, cv2.COLOR_RGB2GRAY)
        across, down = width / grey.shape[1], height / grey.shape[0]
        least_px = max(LEAST_WINDOW_PX, int(self._min_face_px / max(across, down) / MARGIN))
        parts = []
        for cascade in self._cascades:
            checkpoint()
            parts.append(cascade.find(grey, least_px))
        found = merge_candidates(parts)
        if len(parts) > 1:
            found = found.suppressed(MAX_IOU)
        return found.moved(across, down).detections(width, height)


def read_opencv_cascade(name: str, mirrored: bool = False) -> Cascade:
    """Read one of the cascades that OpenCV brings; WeightsError if it is missing, as from OpenCV 5 on."""
    path = Path(cv2.data.haarcascades) / name
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise WeightsError(
            f"{path}: must be a cascade of OpenCV, but cannot be read: {error.strerror}; "
            "python -m pip install 'opencv-contrib-python-headless>=4.10,<5'"
        ) from error
    return Cascade(path, text, mirrored)
