"""OpenCV's Haar cascades for frontal faces and for profiles, left and right: three searches."""

from __future__ import annotations

from face_det.detectors.cascade import CascadeDetector, read_opencv_cascade
from face_det.nets import DEFAULT_COMPUTE, Compute


class HaarProfileDetector(CascadeDetector):
    """Finds the faces of `haar`, and those seen from the side."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        profile = "haarcascade_profileface.xml"
        super().__init__(
            [
                read_opencv_cascade("haarcascade_frontalface_default.xml"),
                read_opencv_cascade(profile),
                read_opencv_cascade(profile, mirrored=True),
            ],
            min_face_px,
        )
