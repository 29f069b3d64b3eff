"""Parts of a picture become JPEGs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from face_det.errors import BadImage
from face_det.media import crop_box, cut_out_jpegs, encode_jpeg, load_image
from face_det.types import Box

NOISE = np.random.default_rng(7).integers(0, 256, (50, 70, 3), dtype=np.uint8)
SOFT = Image.fromarray(NOISE).filter(ImageFilter.GaussianBlur(2))
BOXES = [
    Box(3.9, 5, 40.2, 30),
    Box(-9, -9, 1000, 1000),
    Box(45, 40, 46, 41),
    Box(80, 0, 99, 9),
    Box(9, 9, 3, 3),
]


def packed(picture: Image.Image, kind: str, orientation: int = 1, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    picture.save(file, kind, exif=exif, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(packed(SOFT, "JPEG", comment="by a camera", dpi=(72, 72)), id="jpeg"),
        *(pytest.param(packed(SOFT, "JPEG", turn), id=f"turned-{turn}") for turn in (0, 3, 6, 9)),
        pytest.param(packed(SOFT.convert("L"), "JPEG"), id="grey"),
        pytest.param(packed(SOFT.convert("CMYK"), "JPEG"), id="cmyk"),
        pytest.param(packed(SOFT.convert("RGBA"), "PNG", 6), id="alpha"),
        pytest.param(packed(SOFT.quantize(), "PNG"), id="palette"),
        pytest.param(packed(Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257), "PNG"), id="16-bit"),
    ],
)
def test_parts_are_those_of_the_whole_picture(data: bytes) -> None:
    """Byte for byte what copying all of the pixels gives, without the file's comment; None if outside."""
    rgb = load_image(data)
    parts = [crop_box(rgb, box) for box in BOXES]
    expected = [None if part is None else encode_jpeg(part, quality=80) for part in parts]
    assert expected.count(None) == 2
    assert cut_out_jpegs(data, BOXES, quality=80) == expected


@pytest.mark.parametrize(
    "data", [b"", b"hello", packed(SOFT, "JPEG")[:-200]], ids=["empty", "text", "cut-off"]
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    """In the words of load_image, and whether or not a box lies in the part that is there."""
    with pytest.raises(BadImage) as expected:
        load_image(data, place="frame")
    for boxes in (BOXES, [Box(0, 0, 5, 5)], []):
        with pytest.raises(BadImage) as error:
            cut_out_jpegs(data, boxes, place="frame")
        assert str(error.value) == str(expected.value)
