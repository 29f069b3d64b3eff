"""What a frame shows that is new: a cut to another scene, and where something moved."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from face_det.media import Grey, changed_pixels, resize_image
from face_det.types import Box, Rgb

GLANCE_PX = 96
"""The longer side of the small picture that is compared."""
MOVED_LEVELS = 8
"""Grey levels by which a pixel of the small picture changes where something moves: noise, averaged over
forty pixels of the frame, stays far below."""
SLOW_LEVELS = 4
"""The same for changes over a longer time, which are searched less often: noise may reach it."""
CUT_SHARE = 0.5
"""After a cut, this share of the pixels have other colours: the histograms differ by it."""
COLOUR_BITS = 3
ROWS = 4
"""About so many rows of the frame are averaged for each of the small picture, and all of its columns: a third
of the work. Four, because halving twice is then all that it takes, which OpenCV does quickly."""
GAP = 6
"""Movements with so many columns of the small picture between them are looked at apart."""
MARGIN = 4
"""Pixels of the small picture that are added around a movement."""


class Glancer:
    """Compares frames at a small size, which takes a fifth of a millisecond."""

    def __init__(self) -> None:
        self._histogram: npt.NDArray[np.float64] | None = None
        self._latest: Grey = np.zeros((0, 0), np.uint8)
        self._marked: dict[str, Grey] = {}
        self._size = (0, 0)

    def look(self, rgb: Rgb) -> bool:
        """Look at the next frame; return whether it shows another scene, or has another size."""
        resized = self._histogram is not None and rgb.shape[:2] != self._size
        height, width = self._size = rgb.shape[:2]
        scale = min(GLANCE_PX / max(height, width), 1.0)
        small = _shrink(rgb, max(round(width * scale), 1), max(round(height * scale), 1))
        grey = (small[..., 0].astype(np.uint16) + small[..., 1] + small[..., 2]) // 3
        self._latest = grey.astype(np.uint8)
        before, self._histogram = self._histogram, _histogram(small)
        if resized:
            self._marked.clear()
            return True
        return before is not None and float(np.abs(self._histogram - before).sum()) / 2 > CUT_SHARE

    def mark(self, *names: str) -> None:
        """Remember the frame looked at last by these names."""
        for name in names:
            self._marked[name] = self._latest

    def moved_since(self, name: str, levels: int = MOVED_LEVELS) -> list[Box] | None:
        """Return where something moved since a marked frame, with a margin, in pixels of the frame.

        None if that is not known. Changes by at most so many grey `levels` do not count.
        """
        marked, latest = self._marked.get(name), self._latest
        changed = None if marked is None else changed_pixels(latest, marked, levels)
        if changed is None:
            return None
        columns = np.flatnonzero(changed.any(axis=0))
        boxes = []
        down, across = self._size[0] / latest.shape[0], self._size[1] / latest.shape[1]
        for run in np.split(columns, np.flatnonzero(np.diff(columns) > GAP) + 1) if len(columns) else []:
            left, right = int(run[0]), int(run[-1]) + 1
            rows = np.flatnonzero(changed[:, left:right].any(axis=1))
            box = Box(
                (left - MARGIN) * across,
                (int(rows[0]) - MARGIN) * down,
                (right + MARGIN) * across,
                (int(rows[-1]) + 1 + MARGIN) * down,
            )
            boxes.append(box.clipped(self._size[1], self._size[0]))
        return boxes


def _shrink(rgb: Rgb, width: int, height: int) -> Rgb:
    """Return a frame at a small size: some of its rows, halved for as long as possible, then resized."""
    rows = rgb[:: max(rgb.shape[0] // (ROWS * height), 1)]
    while (down := rows.shape[0] // 2) >= height and (across := rows.shape[1] // 2) >= width:
        rows = resize_image(rows[: 2 * down, : 2 * across], across, down)
    return resize_image(rows, width, height)


def _histogram(small: Rgb) -> npt.NDArray[np.float64]:
    """Return the share of the pixels of each colour, coarsely: shape (8 ** 3,)."""
    parts = (small >> (8 - COLOUR_BITS)).astype(np.int64)
    codes = (parts[..., 0] << 2 * COLOUR_BITS) | (parts[..., 1] << COLOUR_BITS) | parts[..., 2]
    counts = np.bincount(codes.ravel(), minlength=8**COLOUR_BITS)
    shares: npt.NDArray[np.float64] = counts / max(counts.sum(), 1)
    return shares
