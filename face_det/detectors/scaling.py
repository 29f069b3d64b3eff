"""The sizes at which pictures are searched, limited so that none takes all memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

from face_det.media import resize_image
from face_det.types import Rgb

MAX_PIXELS = 1920 * 1080
"""The largest image before enlarging; larger ones are scaled down, as Frigate does."""

MAX_ENLARGED_PIXELS = 4 * MAX_PIXELS
"""The largest image after enlarging: YuNet takes 300 MB and a third of a second for it."""

MAX_SIDE_PX = 8192


def scale_factor(width: int, height: int, scale: float) -> float:
    """Return the factor by which an image is resized before detection: `scale`, or less if it is very large.

    >>> scale_factor(640, 480, scale=2)
    2.0
    >>> scale_factor(3840, 2160, scale=1)
    0.5
    """
    most = min(MAX_PIXELS * max(scale, 1.0) ** 2, MAX_ENLARGED_PIXELS)
    return min(float(scale), math.sqrt(most / (width * height)), MAX_SIDE_PX / max(width, height))


def resize_by(rgb: Rgb, times: float) -> Rgb:
    """Return the image `times` as large, at least one pixel each way; itself if its size stays.

    >>> import numpy as np
    >>> resize_by(np.zeros((3, 5000, 3), np.uint8), 0.1).shape
    (1, 500, 3)
    """
    height, width = rgb.shape[:2]
    size = (max(round(width * times), 1), max(round(height * times), 1))
    return rgb if size == (width, height) else resize_image(rgb, *size)


def pyramid_levels(rgb: Rgb, scale: float, large_px: float) -> Iterator[Rgb]:
    """Yield the image resized by `scale`, or less where it is very large; then halve it for as long as it may
    hold a face of more than `large_px`."""
    height, width = rgb.shape[:2]
    times = scale_factor(width, height, scale)
    while True:
        size = (max(round(width * times), 1), max(round(height * times), 1))
        if size != (rgb.shape[1], rgb.shape[0]):
            rgb = resize_image(rgb, *size)
        yield rgb
        if min(size) <= large_px:
            return
        times /= 2
