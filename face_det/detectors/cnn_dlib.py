"""dlib's CNN detector run by dlib itself: the reference. It is slow and holds the interpreter lock."""

from __future__ import annotations

import threading

import dlib

from face_det.detectors.dlib_boxes import detection_from_edges, rect_edges
from face_det.errors import ConfigError
from face_det.nets import DEFAULT_COMPUTE, Compute, weights_path
from face_det.types import Detection, Rgb

MIN_SIDE_PX = 24
"""If a side is shorter than this after doubling, dlib's network reads and writes outside its memory; at 1 to
5 px it has crashed the process. No face is that small."""


class CnnDlibDetector:
    """Finds the boxes of face_recognition.face_locations(rgb, upsample, "cnn").

    Raises ConfigError for a runtime, precision or device that dlib does not have. dlib sets its own number
    of threads, and computes faces of all sizes whatever `min_face_px` is.
    """

    runtime = "dlib"

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        if faults := _unsupported_options(compute):
            raise ConfigError(faults)
        self._detector = dlib.cnn_face_detection_model_v1(str(weights_path("mmod")))
        # The network keeps its activations between calls, so allow only one call at a time.
        self._lock = threading.Lock()

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Detect the faces of one image, best first; `score` is the network's confidence, 0 or more."""
        if min(rgb.shape[:2]) << upsample < MIN_SIDE_PX:
            return []
        with self._lock:
            found = self._detector(rgb, upsample)
        return [detection_from_edges(rgb, rect_edges(face.rect), face.confidence) for face in found]


def _unsupported_options(compute: Compute) -> list[str]:
    device = "cuda" if dlib.DLIB_USE_CUDA else "cpu"
    asked = (
        ("runtime", compute.runtime, ("auto",)),
        ("precision", compute.precision, ("fp32",)),
        # A dlib built for CUDA always uses it.
        ("device", compute.device, ("cpu", device)),
    )
    return [
        f"{key}: must be {right[-1]} for detector cnn_dlib, which dlib itself runs, got {value}"
        for key, value, right in asked
        if value not in right
    ]
