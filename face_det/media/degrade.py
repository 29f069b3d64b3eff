"""Pictures made worse in ways that cameras have: small, out of focus, compressed, dark."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from face_det.faces import Box, Rgb
from face_det.media.resize import resized

BLUR = 1 / 25
"""Standard deviation of the blur, in widths of the face: 4 px on a face of 100."""
EXPOSURE = 1 / 16
"""Four stops less light, of which the camera leaves the noise."""
NOISE = 3.0
SEED = 1234
JPEG_QUALITY = 20

Degradation = Callable[[Rgb, Box], Rgb]
"""Takes a picture and the box of the face that matters, and returns a new picture."""


def scaled(rgb: Rgb, box: Box, width_px: float) -> Rgb:
    """The whole picture so small that the face is `width_px` wide; as it is if the face is no wider."""
    factor = width_px / max(box.width, 1.0)
    if factor >= 1:
        return np.array(rgb)
    size = (max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor)))
    return resized(rgb, *size)


def blurred(rgb: Rgb, box: Box) -> Rgb:
    """Out of focus, in proportion to the face."""
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), max(0.5, box.width * BLUR)))


def compressed(rgb: Rgb, box: Box) -> Rgb:
    """Stored as JPEG of quality 20."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def darkened(rgb: Rgb, box: Box) -> Rgb:
    """A sixteenth of the light, by a display gamma of 2.2, with noise that is always the same."""
    noise = np.random.default_rng(SEED).normal(0, NOISE, rgb.shape)
    dark = 255 * (rgb / 255.0) * EXPOSURE ** (1 / 2.2) + noise
    return np.asarray(np.clip(np.rint(dark), 0, 255), dtype=np.uint8)


def _to(width_px: int) -> Degradation:
    return lambda rgb, box: scaled(rgb, box, width_px)


DEGRADATIONS: dict[str, Degradation] = {
    **{f"{width} px": _to(width) for width in (60, 40, 30, 20)},
    "blurred": blurred,
    "JPEG 20": compressed,
    "dark": darkened,
}
"""By the name in the report."""
