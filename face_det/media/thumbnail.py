"""A small picture of a picture, to be put into a page."""

from __future__ import annotations

import io

from PIL import Image

from face_det.faces import Rgb


def thumbnail(rgb: Rgb, side_px: int) -> bytes:
    """A JPEG whose longer side is at most so long."""
    picture = Image.fromarray(rgb)
    picture.thumbnail((side_px, side_px))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    return data.getvalue()
