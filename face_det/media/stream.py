"""Takes one picture out of a video stream."""

from __future__ import annotations

import cv2
import numpy as np

from face_det.errors import BadImage
from face_det.media.answers import encode_jpeg
from face_det.types import Rgb


def grab_frame(address: str, *, timeout_s: float, place: str) -> bytes:
    """Return the next complete frame of a stream (rtsp, a video file) as a JPEG; blocks meanwhile.

    Raises BadImage, which names `place` and not the address, because that may contain a password.
    """
    limit_ms = round(timeout_s * 1000)
    capture = cv2.VideoCapture(
        address,
        cv2.CAP_FFMPEG,
        [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit_ms],
    )
    try:
        if not capture.isOpened():
            raise BadImage(f"{place}: must be a video stream, but it cannot be opened within {timeout_s:g} s")
        read, bgr = capture.read()
    finally:
        capture.release()
    if not read:
        raise BadImage(f"{place}: no picture came within {timeout_s:g} s")
    rgb: Rgb = np.ascontiguousarray(bgr[:, :, ::-1])
    return encode_jpeg(rgb)
