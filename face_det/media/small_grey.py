"""Makes small grey copies of pictures, to tell quickly what has changed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from face_det.media.decode import decode_small

Grey = npt.NDArray[np.uint8]
"""A grey picture, of shape (H, W)."""


def make_small_grey(
    data: bytes, *, longer_px: int = 160, max_pixels: int = 100_000_000, place: str = "bytes"
) -> Grey:
    """Return a grey copy of an encoded picture, `longer_px` wide or high; a JPEG is decoded no larger.

    A picture is not turned by its EXIF. Raises BadImage, which names `place`, for what is no picture.

    >>> make_small_grey(b"P5 4 2 255 " + bytes(range(0, 80, 10)), longer_px=2).tolist()
    [[25, 45]]
    >>> make_small_grey(b"hello", place="camera door")
    Traceback (most recent call last):
    ...
    face_det.errors.BadImage: camera door: must be a JPEG, PNG, BMP, GIF, WebP, TIFF, PPM, AVIF or HEIC picture, got text
    """  # noqa: E501
    return np.asarray(decode_small(data, place, longer_px, max_pixels=max_pixels), np.uint8)


def changed_pixels(one: Grey, other: Grey, levels: int) -> npt.NDArray[np.bool_] | None:
    """Return which pixels differ by more than so many grey levels, of 255; shape (H, W).

    None if the pictures have different sizes.

    >>> dark = np.zeros((1, 3), np.uint8)
    >>> changed_pixels(dark, np.array([[0, 8, 9]], np.uint8), 8).tolist()
    [[False, False, True]]
    >>> changed_pixels(dark, dark.T, 8)
    """
    if one.shape != other.shape:
        return None
    changed: npt.NDArray[np.bool_] = np.abs(one.astype(np.int16) - other) > levels
    return changed
