"""dlib's HOG detector: frontal faces of 80 px or more (40 px with one doubling), fast on any CPU."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import dlib

from face_det.detectors.dlib_boxes import detection_from_edges, rect_edges
from face_det.nets import DEFAULT_COMPUTE, Compute
from face_det.types import Detection, Rgb


class HogDetector:
    """Finds the boxes of face_recognition.face_locations(rgb, upsample, "hog").

    This is not a neural network: dlib runs it on one core, whatever `compute` says. It finds faces of all
    sizes, whatever `min_face_px` is.
    """

    runtime = "dlib"

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        self._detector = dlib.get_frontal_face_detector()
        # The detector keeps its pyramid between calls, so allow only one call at a time.
        self._lock = threading.Lock()

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, best first; `score` is the detector's confidence, 0 or more."""
        return [
            detection_from_edges(rgb, rect_edges(rect), score) for rect, score in self._run(rgb, upsample)
        ]

    def detect_untrimmed(self, rgb: Rgb, upsample: int = 0) -> list[tuple[int, int, int, int]]:
        """Detect the same faces as left, top, right, bottom in whole pixels, which may stick out of the
        image."""
        return [rect_edges(rect) for rect, _ in self._run(rgb, upsample)]

    def _run(self, rgb: Rgb, upsample: int) -> Iterable[tuple[Any, float]]:
        with self._lock:
            rects, scores, _ = self._detector.run(rgb, upsample)
        return zip(rects, scores, strict=True)
