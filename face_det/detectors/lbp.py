"""A cascade of local binary patterns: the quickest of the cascades, for upright frontal faces."""

from __future__ import annotations

from face_det.detectors.cascade import Cascade, CascadeDetector
from face_det.nets import DEFAULT_COMPUTE, Compute, verify_weights


class LbpDetector(CascadeDetector):
    """Finds frontal faces by local binary patterns (Liao et al., 2007), with scikit-image's file."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE, min_face_px: float = 0) -> None:
        path = verify_weights("lbp")
        # The published file misspells an element that OpenCV requires.
        text = path.read_text("utf-8").replace("featuhreParams", "featureParams")
        super().__init__([Cascade(path, text)], min_face_px)
