"""JPEGs that are damaged in the middle and intact at both ends."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from face_det.errors import BadImage
from face_det.media import jpeg_markers
from face_det.media.image import load_image


def jpeg(**options: Any) -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"optimize": True},
        {"restart_marker_blocks": 3},
        {"progressive": True, "restart_marker_rows": 1},
        {"quality": 100, "subsampling": 0},
        {"exif": b"Exif\0\0" + jpeg(quality=10)[:30_000]},
        {"comment": b"\xff\x01\xff\xd9" * 100},
    ],
    ids=str,
)
def test_whole_ones(options: dict[str, Any]) -> None:
    """Good JPEGs of every kind pass: with restarts, markers in comments, bytes after the end."""
    data = jpeg(**options)
    assert jpeg_markers.find_marker_fault(data) is None
    assert load_image(data + b"\xff\x01 more").shape == (300, 400, 3)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_stretch_of_noise(progressive: bool) -> None:
    """4 kB of foreign bytes anywhere in the data are refused, though Pillow says nothing."""
    dice, data = random.Random(1), jpeg(progressive=progressive)
    for _ in range(20):
        at = dice.randrange(2000, len(data) - 6000)
        spoilt = data[:at] + dice.randbytes(4096) + data[at + 4096 :]
        with pytest.raises(BadImage, match="must be a whole picture"):
            load_image(spoilt)


def test_photos(photos: dict[str, Path]) -> None:
    """No real photo is refused."""
    for path in set(photos.values()):
        if path.read_bytes().startswith(b"\xff\xd8"):
            assert jpeg_markers.find_marker_fault(path.read_bytes()) is None, path
