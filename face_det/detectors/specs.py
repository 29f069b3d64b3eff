"""The menus: what a name in the configuration stands for.

A new detector, embedder, jitter or classifier is one file and one line here. Nothing is imported until
it is asked for, so that a command loads only what it uses.
"""

from __future__ import annotations

DETECTORS: dict[str, str] = {
    "cnn": "face_det.detectors.cnn:CnnDetector",
    "cnn_dlib": "face_det.detectors.cnn_dlib:CnnDlibDetector",
    "hog": "face_det.detectors.hog:HogDetector",
    "yunet": "face_det.detectors.yunet:YunetDetector",
}
