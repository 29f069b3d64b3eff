"""dlib's CNN detector run by dlib itself: the reference, slow, and it holds the interpreter lock."""

from __future__ import annotations

import threading

import dlib

from face_det.detectors.dlib_boxes import detection
from face_det.faces import Detection, Rgb
from face_det.nets.catalogue import weights_path

LEAST_PX = 24
"""Below this side, after doublings, dlib's network reads and writes outside its memory (seen to end
the process at 1 to 5 px); no face is that small."""


class CnnDlibDetector:
    """Boxes equal those of face_recognition.face_locations(rgb, upsample, "cnn")."""

    runtime = "dlib"

    def __init__(self, threads: int = 1) -> None:
        self._detector = dlib.cnn_face_detection_model_v1(str(weights_path("mmod")))
        # The network keeps its activations between calls: one call at a time.
        self._lock = threading.Lock()

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Faces of one image, best first; `score` is the network's confidence, 0 and up."""
        if min(rgb.shape[:2]) << upsample < LEAST_PX:
            return []
        with self._lock:
            found = self._detector(rgb, upsample)
        return [detection(rgb, face.rect, face.confidence) for face in found]
