"""Pixels are copied out of Pillow once, and are Pillow's to the bit."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from face_det.media import pixels
from face_det.media.image import load_as_stored, load_image
from face_det.types import Rgb


def jpeg(photo: Path, size: tuple[int, int], mode: str = "RGB", **options: Any) -> bytes:
    """Return a photo in another size as a JPEG."""
    file = io.BytesIO()
    with Image.open(photo) as picture:
        picture.convert(mode).resize(size).save(file, "JPEG", **options)
    return file.getvalue()


def turned(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def expected(data: bytes) -> Rgb:
    with Image.open(io.BytesIO(data)) as picture:
        return np.array(ImageOps.exif_transpose(picture).convert("RGB"))


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((640, 400), {}),
        ((639, 401), {"subsampling": 0}),
        ((333, 257), {"subsampling": 2, "progressive": True}),
        ((333, 257), {"mode": "L"}),
        ((401, 300), {"restart_marker_blocks": 3}),
        ((401, 300), {"exif": turned(6)}),
        ((401, 300), {"exif": turned(2), "progressive": True}),
        ((30_001, 3), {}),
        ((3, 30_001), {}),
        ((1, 1), {}),
    ],
    ids=[
        "plain",
        "every-colour",
        "progressive",
        "grey",
        "restarts",
        "turned",
        "mirrored-progressive",
        "wide",
        "high",
        "one-pixel",
    ],
)
def test_every_kind_of_jpeg(
    photos: Mapping[str, Path], size: tuple[int, int], options: dict[str, Any]
) -> None:
    """Photos of odd sizes, of one long row, turned, grey, with restarts: what np.array gives, writable."""
    data = jpeg(photos["obama"], size, **options)
    rgb = load_image(data)
    np.testing.assert_array_equal(rgb, expected(data))
    assert rgb.flags.writeable
    assert rgb.flags.c_contiguous


def test_damage_that_libjpeg_only_warns_of(photos: Mapping[str, Path], capfd: Any) -> None:
    """Bytes missing in the middle give Pillow's pixels, and nothing is printed."""
    data = jpeg(photos["obama"], (333, 251))
    spoilt = data[: len(data) // 2] + data[len(data) // 2 + 50 :]
    np.testing.assert_array_equal(load_image(spoilt), expected(spoilt))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("load", [load_image, lambda data: load_as_stored(io.BytesIO(data))])
def test_the_pixels_are_in_memory_once(photos: Mapping[str, Path], load: Any) -> None:
    """Besides Pillow's own, which tracemalloc does not see."""
    data = jpeg(photos["obama"], (1000, 800))
    load(data)  # imports what it needs
    tracemalloc.start()
    try:
        rgb = load(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rgb.nbytes <= peak < 1.3 * rgb.nbytes + len(data)


def test_another_mode_is_refused() -> None:
    """Only RGB has three bytes for each pixel."""
    with pytest.raises(ValueError, match="must be RGB, got L"):
        pixels.copy_rgb(Image.new("L", (2, 2)))


def test_no_pixels() -> None:
    """A picture may have none."""
    assert pixels.copy_rgb(Image.new("RGB", (0, 5))).shape == (5, 0, 3)
