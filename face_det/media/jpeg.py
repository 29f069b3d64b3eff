"""Writes JPEG files: of pixels, and of parts of a picture."""

from __future__ import annotations

import io
from collections.abc import Iterable

from PIL import Image

from face_det.media.decode import decode_for_cropping
from face_det.media.image import check_bytes
from face_det.media.transform import pixel_region
from face_det.types import Box, Rgb

_QUALITY = 92


def encode_jpeg(rgb: Rgb, *, quality: int = _QUALITY) -> bytes:
    """Return a picture as the bytes of a JPEG file whose thin coloured lines are sharp.

    `quality` is libjpeg's, 1..100.

    >>> import numpy as np
    >>> encode_jpeg(np.zeros((8, 8, 3), np.uint8))[:3].hex()
    'ffd8ff'
    """
    return _encode(Image.fromarray(rgb), quality)


def cut_out_jpegs(
    data: bytes,
    boxes: Iterable[Box],
    *,
    quality: int = _QUALITY,
    place: str = "bytes",
    max_pixels: int = 100_000_000,
    max_bytes: int = 100_000_000,
) -> list[bytes | None]:
    """Return the part of a picture inside each box, as a JPEG; None for a box that covers no pixel.

    `data` is the picture's file; boxes are in pixels of the upright picture. The result is that of
    `load_image`, `crop_box` and `encode_jpeg`, which copy all of the picture's pixels on the way.
    Raises BadImage, which names `place`.

    >>> picture = b"P6 2 1 255 " + bytes([255, 0, 0, 0, 0, 255])
    >>> [part and part[:2].hex() for part in cut_out_jpegs(picture, [Box(1, 0, 2, 1), Box(5, 5, 9, 9)])]
    ['ffd8', None]
    """
    check_bytes(len(data), place, max_bytes)
    picture = decode_for_cropping(data, place, max_pixels=max_pixels)
    regions = [pixel_region(box, *picture.size) for box in boxes]
    return [None if region is None else _encode(picture.crop(region), quality) for region in regions]


def _encode(picture: Image.Image, quality: int) -> bytes:
    # Pillow would copy the comment of the file that a part was cut from.
    picture.info = {}
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()
