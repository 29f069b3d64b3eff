"""Small pictures that differ, where nobody looks for a face."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image


def drawn(number: int, kind: str = "PNG") -> bytes:
    """The bytes of a picture of 32 x 32 pixels; another one for each number."""
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (number % 256, number // 256, 90)).save(file, kind)
    return file.getvalue()


def draw(path: Path, number: int, kind: str = "PNG") -> Path:
    """Write one, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(drawn(number, kind))
    return path
