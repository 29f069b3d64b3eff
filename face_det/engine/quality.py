"""The quality of a face: how likely somebody seen like this is recognised, if they are enrolled."""

from __future__ import annotations

import math

from face_det.types import Face

YUNET_DETECTORS = ("auto", "yunet")
"""The detectors whose score is YuNet's, 0..1; what another one's says about quality is not known."""

_WEIGHTS = {
    # (score known, norm known): offset, log of the size in px, log of 1 + sharpness, score, norm
    (True, True): (-33.126, 1.566, 0.341, 15.801, 1.186),
    (False, True): (-20.958, 1.562, 0.373, 0.0, 1.375),
    (True, False): (-43.850, 2.180, 0.587, 36.586, 0.0),
    (False, False): (-13.865, 2.611, 0.829, 0.0, 0.0),
}
"""Logistic regressions, made by benchmarks/quality.py from 200 photos of 40 people of LFW, each degraded in
eight random ways: the outcome is whether SFace's encoding has a cosine of 0.42 or more to the person's other
photos, about the threshold at a false accept rate of 0.2 %. Landmarks, pose, exposure, contrast and the
sharpness of the aligned face were tried as well and add nothing to these four."""


def estimate_quality(face: Face, detector: str) -> float:
    """Estimate the quality of a face, 0..1, from its size, sharpness, detector's score and encoding's norm.

    `detector` is the name of the detector. Without a norm, as for dlib's encodings or a face that was not
    encoded, the estimate rests on the others alone.

    >>> from face_det.types import Box
    >>> near, far = (Face(Box(0, 0, px, px), 0.92, 300.0, None, None, norm=12.0) for px in (80, 12))
    >>> estimate_quality(near, "auto") > 0.9 > estimate_quality(far, "auto")
    True
    """
    score = face.score if detector in YUNET_DETECTORS else None
    offset, size, sharpness, by_score, by_norm = _WEIGHTS[score is not None, face.norm is not None]
    side = max(face.box.shorter_side, 1.0)
    odds = offset + size * math.log(side) + sharpness * math.log1p(max(face.focus, 0.0))
    odds += by_score * (score or 0.0) + by_norm * (face.norm or 0.0)
    return 1 / (1 + math.exp(-max(min(odds, 500.0), -500.0)))
