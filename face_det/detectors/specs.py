"""The menu of detectors. A new one is a file in this folder and a line here."""

from __future__ import annotations

from face_det.registry import Menu, Spec

DETECTORS = Menu(
    Spec("auto", "face_det.detectors.auto:AutoDetector"),
    Spec("blazeface", "face_det.detectors.blazeface:BlazefaceDetector"),
    Spec("centerface", "face_det.detectors.centerface:CenterfaceDetector"),
    Spec("cnn", "face_det.detectors.cnn:CnnDetector"),
    Spec("cnn_dlib", "face_det.detectors.cnn_dlib:CnnDlibDetector"),
    Spec("haar", "face_det.detectors.haar:HaarDetector"),
    Spec("haar_profile", "face_det.detectors.haar_profile:HaarProfileDetector"),
    Spec("hog", "face_det.detectors.hog:HogDetector"),
    Spec("lbp", "face_det.detectors.lbp:LbpDetector"),
    Spec("mtcnn", "face_det.detectors.mtcnn:MtcnnDetector"),
    Spec("ssd", "face_det.detectors.ssd:SsdDetector"),
    Spec("yunet", "face_det.detectors.yunet:YunetDetector"),
    files="face_det.detectors.onnx_file:OnnxFileDetector",
)
"""faceDetModel; a detector is created with `compute` and `min_face_px`."""
