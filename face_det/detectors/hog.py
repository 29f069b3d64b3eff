"""dlib's HOG detector: frontal faces of 80 px or more (40 px with one doubling), fast on any CPU."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import dlib

from face_det.detectors.dlib_boxes import detection_from_edges, rect_edges
from face_det.nets import DEFAULT_COMPUTE, Compute, load_cached
from face_det.types import Detection, Rgb


class HogDetector:
    """Finds the boxes of face_recognition.face_locations(rgb, upsample, "hog").

    This is not a neural network: dlib runs it on one core, whatever `compute` says. It finds faces of all
    sizes, whatever `min_face_px` is.
    """

    runtime = "dlib"

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        self._detector = _load_detector()
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


def _load_detector() -> Any:
    """Load dlib's detector from the cache: dlib takes more than a second to unpack the one it carries."""
    state = load_cached(f"hog-dlib-{dlib.__version__}", lambda: _state_of(dlib.get_frontal_face_detector()))
    detector = dlib.fhog_object_detector.__new__(dlib.fhog_object_detector)
    detector.__setstate__((state,))
    return detector


def _state_of(detector: Any) -> bytes:
    """Return dlib's own serialisation, which is what its pickles hold."""
    (state,) = detector.__getstate__()
    return bytes(state)
