"""OpenCV's Haar cascade: quick, for upright frontal faces of 24 px or more."""

from __future__ import annotations

from face_det.detectors.cascade import CascadeDetector, read_opencv_cascade
from face_det.nets import DEFAULT_COMPUTE, Compute


class HaarDetector(CascadeDetector):
    """Finds the boxes of cv2.CascadeClassifier for upright frontal faces."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        super().__init__([read_opencv_cascade("haarcascade_frontalface_default.xml")], min_face_px)
