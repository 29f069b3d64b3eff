"""Whether a frame shows anything new: a cut to another scene, or something that moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.media import resize_image
from face_det.types import Rgb

GLANCE_PX = 96
"""The longer side of the small picture that is compared."""
MOVED_LEVELS = 8.0
"""Grey levels by which a pixel of the small picture changes where something moves: noise, averaged over a
hundred pixels of the frame, stays far below."""
CUT_SHARE = 0.5
"""After a cut, this share of the pixels have other colours: the histograms differ by it."""
COLOUR_BITS = 3


@dataclass(frozen=True, slots=True)
class Glance:
    """What comparing a frame with earlier ones says: is it another scene, and did anything move since the
    frame that was searched last?"""

    cut: bool
    moved: bool


class Glancer:
    """Compares frames at a small size, which takes about a millisecond at 1080p."""

    def __init__(self) -> None:
        self._histogram: npt.NDArray[np.float64] | None = None
        self._searched: npt.NDArray[np.int16] | None = None
        self._latest: npt.NDArray[np.int16] | None = None

    def look(self, rgb: Rgb) -> Glance:
        """Compare a frame with the one before, and with the one at which `mark_searched` was called."""
        small = _small_picture(rgb)
        histogram = _histogram(small)
        before, self._histogram = self._histogram, histogram
        grey = small.astype(np.int16).mean(axis=2).astype(np.int16)
        self._latest = grey
        cut = before is not None and float(np.abs(histogram - before).sum()) / 2 > CUT_SHARE
        searched = self._searched
        if searched is None or searched.shape != grey.shape:
            return Glance(cut, moved=True)
        return Glance(cut, moved=bool(np.abs(grey - searched).max() > MOVED_LEVELS))

    def mark_searched(self) -> None:
        """Note that the frame looked at last is searched for faces."""
        self._searched = self._latest


def _small_picture(rgb: Rgb) -> Rgb:
    height, width = rgb.shape[:2]
    scale = min(GLANCE_PX / max(height, width), 1.0)
    return resize_image(rgb, max(round(width * scale), 1), max(round(height * scale), 1))


def _histogram(small: Rgb) -> npt.NDArray[np.float64]:
    """Return the share of the pixels of each colour, coarsely: shape (8 ** 3,)."""
    parts = (small >> (8 - COLOUR_BITS)).astype(np.int64)
    codes = (parts[..., 0] << 2 * COLOUR_BITS) | (parts[..., 1] << COLOUR_BITS) | parts[..., 2]
    counts = np.bincount(codes.ravel(), minlength=8**COLOUR_BITS)
    shares: npt.NDArray[np.float64] = counts / max(counts.sum(), 1)
    return shares
