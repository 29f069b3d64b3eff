"""Copies pixels out of Pillow's pictures."""

from __future__ import annotations

import numpy as np
from PIL import Image

from face_det.types import Rgb

_CHUNK_BYTES = 1 << 16
"""Small enough for the processor's cache."""


def copy_rgb(picture: Image.Image) -> Rgb:
    """Copy the pixels of a picture of mode RGB to a writable array of shape (H, W, 3).

    np.array(picture) gives the same, but builds all the bytes twice on the way, in memory that is fetched
    from the system and returned each time. That took as long as decoding a JPEG.
    Raises ValueError for another mode, and RuntimeError if Pillow cannot give the pixels.

    >>> copy_rgb(Image.new("RGB", (2, 1), (1, 2, 3))).tolist()
    [[[1, 2, 3], [1, 2, 3]]]
    """
    if picture.mode != "RGB":
        raise ValueError(f"the mode must be RGB, got {picture.mode}")
    picture.load()
    width, height = picture.size
    rgb: Rgb = np.empty((height, width, 3), np.uint8)
    if not rgb.size:
        return rgb
    rest = rgb.reshape(-1).data
    encoder = Image._getencoder("RGB", "raw", "RGB")
    encoder.setimage(picture.im, (0, 0, width, height))
    status = 0
    while status == 0:
        # It needs room for a row in Pillow's own four bytes per pixel.
        _, status, chunk = encoder.encode(max(_CHUNK_BYTES, 4 * width))
        rest[: len(chunk)] = chunk
        rest = rest[len(chunk) :]
    if status < 0 or len(rest):
        raise RuntimeError(f"encoder error {status}, with {len(rest)} bytes to go")
    return rgb
