"""dlib's CNN detector run by dlib itself: the reference, slow, and it holds the interpreter lock."""

from __future__ import annotations

import threading

import dlib

from face_det.detectors.dlib_boxes import detection
from face_det.faces import Detection, Rgb
from face_det.nets.catalogue import weights_path


class CnnDlibDetector:
    """Boxes equal those of face_recognition.face_locations(rgb, upsample, "cnn")."""

    runtime = "dlib"

    def __init__(self, threads: int = 1) -> None:
        self._detector = dlib.cnn_face_detection_model_v1(str(weights_path("mmod")))
        # The network keeps its activations between calls: one call at a time.
        self._lock = threading.Lock()

    def detect(self, rgb: Rgb, upsample: int = 0) -> list[Detection]:
        """Faces of one image, best first; `score` is the network's confidence, 0 and up."""
        with self._lock:
            found = self._detector(rgb, upsample)
        return [detection(rgb, face.rect, face.confidence) for face in found]
