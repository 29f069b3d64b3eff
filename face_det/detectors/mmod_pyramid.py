"""Lays out the image pyramid of dlib's CNN detector as dlib does, in one large image.

Each level is 5/6 of the one before. The levels stand below each other at the left and, from where two
fit side by side, from the bottom up at the right; the rest is zeros. The network sees the tiled pyramid
as a whole, so a score depends on where a level lies and on its neighbours: levels computed one by one
would not give dlib's faces.

The pyramid is processed in windows, a few at a time, so that memory grows only with the image's pixels
and not with the pyramid's floats, of which there are four times as many. A window includes all pixels
that its scores depend on, so no score changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dlib
import numpy as np

from face_det.nets import Float32Array
from face_det.types import Rgb

GAP_PX = 10
"""Gap between levels."""

MARGIN_PX = 11
"""Margin around the pyramid."""

MIN_LEVEL_PX = 5
"""No level is shorter than this."""

STRIDE_PX = 8
"""Pixels between two scores."""

NEAR_PX = 29
"""Pixels that one score would see if the later layers saw a single position of the earlier ones."""

HALO_SCORES = 10
"""How many neighbouring scores the later layers (5x5, 5x5, 5x5, 9x9) see around a score."""

CENTRE_PX = 14
"""The centre of the first score's view, down and across."""

REACH_PX = 136
"""No score sees anything farther away than this: it sees 94 px down and across."""

WINDOW_PIXELS = 4_000_000
"""Pixels of a window: a frame of 1280x720 in one go, in 100 MB of the network's memory."""

BATCH_PIXELS = 24_000_000
"""Pixels of windows that are drawn together, in 288 MB. Each batch resizes the image again, which takes 2 %
of the network's time."""

MAX_RESIZE_COLUMNS = 65_000
"""The widest image that dlib's resize handles correctly."""

PIXEL_MEANS = np.array([122.782, 117.001, 104.298], np.float32)


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of whole pixels or scores; bottom and right are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left


@dataclass(frozen=True, slots=True)
class TiledPyramid:
    """Where each level lies, the image itself first, and the size of the whole in pixels."""

    levels: tuple[Area, ...]
    height: int
    width: int

    @property
    def scores(self) -> Area:
        """The area of all scores; empty if the pyramid is smaller than what one score sees."""
        rows, columns = ((side - NEAR_PX) // STRIDE_PX + 1 for side in (self.height, self.width))
        return Area(0, 0, max(rows, 0), max(columns, 0))


def tile_pyramid(height: int, width: int) -> TiledPyramid:
    """Lay out the pyramid for an image of that size, as dlib's create_tiled_pyramid does.

    >>> pyramid = tile_pyramid(480, 640)
    >>> pyramid.height, pyramid.width, pyramid.levels[1]
    (1782, 662, Area(top=501, left=11, bottom=901, right=544))
    """
    sizes: list[tuple[int, int]] = []
    rows, columns = height, width
    while not sizes or (rows >= MIN_LEVEL_PX and columns > 0):
        sizes.append((rows, columns))
        rows, columns = 5 * rows // 6, 5 * columns // 6
    first = _left_column_length(sizes)
    bottom = sum(size[0] + GAP_PX for size in sizes[:first]) - GAP_PX + MARGIN_PX
    levels = []
    top = MARGIN_PX
    for rows, columns in sizes[:first]:
        levels.append(Area(top, MARGIN_PX, top + rows, MARGIN_PX + columns))
        top += rows + GAP_PX
    lowest, right = bottom, MARGIN_PX + width
    for rows, columns in sizes[first:]:
        # dlib drops a level, and all after it, rather than lay it over the image.
        if lowest - rows < MARGIN_PX + height:
            break
        levels.append(Area(lowest - rows, right - columns, lowest, right))
        lowest -= rows + GAP_PX
    return TiledPyramid(tuple(levels), bottom + MARGIN_PX, width + 2 * MARGIN_PX)


def _left_column_length(sizes: Sequence[tuple[int, int]]) -> int:
    """Count the levels at the left.

    The right column begins where the next level fits beside the one before it, once at least half of what
    would stand below the image does.
    """
    height, width = sizes[0]
    total = sum(rows + GAP_PX for rows, _ in sizes) - 2 * GAP_PX
    used = before = 0
    for at, (rows, columns) in enumerate(sizes):
        if columns <= width - before - GAP_PX and (used - height) * 2 >= total - height:
            return at
        used += rows + GAP_PX
        before = columns
    return len(sizes)


def split_into_windows(scores: Area) -> list[Area]:
    """Split scores into windows that fit in memory, halving the longer side each time.

    >>> split_into_windows(Area(0, 0, 400, 200))
    [Area(top=0, left=0, bottom=200, right=200), Area(top=200, left=0, bottom=400, right=200)]
    """
    if scores.height <= 0 or scores.width <= 0:
        return []
    if scores.height * scores.width * STRIDE_PX**2 <= WINDOW_PIXELS:
        return [scores]
    if scores.height >= scores.width:
        middle = (scores.top + scores.bottom) // 2
        halves = (
            Area(scores.top, scores.left, middle, scores.right),
            Area(middle, scores.left, scores.bottom, scores.right),
        )
    else:
        middle = (scores.left + scores.right) // 2
        halves = (
            Area(scores.top, scores.left, scores.bottom, middle),
            Area(scores.top, middle, scores.bottom, scores.right),
        )
    return [window for half in halves for window in split_into_windows(half)]


def areas_from_level(pyramid: TiledPyramid, first: int) -> list[Area]:
    """Return the areas of scores that may belong to faces on level `first` or smaller ones.

    These are the left column's, over the whole width of the pyramid, and those beside it. A score above zero
    sees pixels of some level, so it lies within REACH_PX of the level it belongs to; farther away from all of
    these levels there is nothing.
    """
    whole = pyramid.scores
    left = [level for level in pyramid.levels[first:] if level.left == MARGIN_PX]
    right = [level for level in pyramid.levels[first:] if level.left > MARGIN_PX]
    top = _score_at(min((level.top for level in left), default=pyramid.height) - REACH_PX, whole.bottom)
    areas = [Area(top, 0, whole.bottom, whole.right)]
    if right:
        beside = _score_at(min(level.top for level in right) - REACH_PX, top)
        areas.append(
            Area(
                beside,
                _score_at(min(level.left for level in right) - REACH_PX, whole.right),
                top,
                whole.right,
            )
        )
    return areas


def _score_at(pixel: int, last: int) -> int:
    """Return the first score whose centre lies at or after a pixel."""
    return min(max((pixel - CENTRE_PX) // STRIDE_PX, 0), last)


def receptive_field(scores: Area, pyramid: TiledPyramid) -> Area:
    """Return all pixels that these scores depend on; the area starts at a multiple of the stride.

    >>> receptive_field(Area(0, 0, 1, 1), tile_pyramid(480, 640))
    Area(top=0, left=0, bottom=109, right=109)
    """
    after = NEAR_PX - STRIDE_PX
    return Area(
        max(scores.top - HALO_SCORES, 0) * STRIDE_PX,
        max(scores.left - HALO_SCORES, 0) * STRIDE_PX,
        min((scores.bottom + HALO_SCORES) * STRIDE_PX + after, pyramid.height),
        min((scores.right + HALO_SCORES) * STRIDE_PX + after, pyramid.width),
    )


def batch_windows(areas: Iterable[Area], pyramid: TiledPyramid) -> Iterator[list[tuple[Area, Area]]]:
    """Group the windows of some areas, with their pixels, into batches of BATCH_PIXELS, or of a single
    window."""
    batch: list[tuple[Area, Area]] = []
    size = 0
    for window in (window for area in areas for window in split_into_windows(area)):
        part = receptive_field(window, pyramid)
        size += part.height * part.width
        if batch and size > BATCH_PIXELS:
            yield batch
            batch, size = [], part.height * part.width
        batch.append((window, part))
    if batch:
        yield batch


def draw_parts(rgb: Rgb, pyramid: TiledPyramid, parts: Sequence[Area]) -> list[Float32Array]:
    """Draw parts of the pyramid of `rgb`, each (1, 3, height, width), minus the PIXEL_MEANS.

    Each level is a bilinear resize of the float level before it, with aligned corners. dlib does the
    resizing, so that rounding is dlib's.
    """
    drawn = [np.zeros((1, 3, part.height, part.width), np.float32) for part in parts]
    seen = [
        number
        for number, level in enumerate(pyramid.levels)
        if any(_intersect(level, part) for part in parts)
    ]
    for channel, mean in enumerate(PIXEL_MEANS):
        plane: Any = rgb[:, :, channel]
        for number in range(max(seen, default=-1) + 1):
            if number == 1:
                plane = plane.astype(np.float32)
                plane -= mean
            level = pyramid.levels[number]
            if number:
                plane = resize_like_dlib(plane, level.height, level.width)
            for part, target in zip(parts, drawn, strict=True):
                if _intersect(level, part):
                    _copy_overlap(plane, level, part, target[0, channel], 0 if number else mean)
    return drawn


def resize_like_dlib(image: Any, height: int, width: int) -> Any:
    """Resize a grey or RGB image bilinearly, with dlib.

    dlib steps along a row in float32; from about 78,000 columns on, this lags, and dlib writes past the end
    of its memory. It steps down a column in float64, so a wide image is transposed first.

    >>> resize_like_dlib(np.zeros((4, 6), np.uint8), 8, 12).shape
    (8, 12)
    """
    if max(image.shape[1], width) <= MAX_RESIZE_COLUMNS:
        return dlib.resize_image(image, height, width)
    lying = np.ascontiguousarray(image.swapaxes(0, 1))
    return np.ascontiguousarray(dlib.resize_image(lying, width, height).swapaxes(0, 1))


def _intersect(one: Area, other: Area) -> bool:
    return (
        one.top < other.bottom
        and other.top < one.bottom
        and one.left < other.right
        and other.left < one.right
    )


def _copy_overlap(plane: Any, level: Area, part: Area, target: Float32Array, mean: float) -> None:
    """Copy the part of a level that lies in a part of the pyramid, minus the mean."""
    top, bottom = max(level.top, part.top), min(level.bottom, part.bottom)
    left, right = max(level.left, part.left), min(level.right, part.right)
    place = target[top - part.top : bottom - part.top, left - part.left : right - part.left]
    place[:] = plane[top - level.top : bottom - level.top, left - level.left : right - level.left]
    if mean:
        place -= mean
