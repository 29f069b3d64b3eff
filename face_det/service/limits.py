"""What callers may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what a caller may ask for."""

    max_images: int = 1000
    max_pixels: int = 100_000_000
    max_bytes: int = 100_000_000
    mount_point: str = ""
    roots: tuple[Path, ...] = ()
