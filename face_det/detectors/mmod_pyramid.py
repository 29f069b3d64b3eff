"""The image pyramid of dlib's CNN detector, laid out on one sheet as dlib lays it out.

Each level is 5/6 of the one before. The levels stand below each other at the left of the sheet, and
from where two fit side by side, from the bottom up at its right; zeros fill the rest. The network
looks at the whole sheet, so a score depends on where on the sheet a level lies, and on its
neighbours: levels computed one by one give other faces than dlib's.

The sheet is worked on in windows, some at a time, so that memory grows with the picture's pixels alone
and not with the sheet's, which are four times as many floats; a window carries all pixels that its
scores depend on, so that no score changes.
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
"""Between levels."""

MARGIN_PX = 11
"""Around the sheet."""

MIN_LEVEL_PX = 5
"""The pyramid ends above this height."""

STRIDE_PX = 8
"""Between two scores."""

NEAR_PX = 29
"""What one score sees of the sheet if the later layers saw a single place of the earlier ones."""

HALO_SCORES = 10
"""Scores that the later layers (5x5, 5x5, 5x5, 9x9) look around a score."""

CENTRE_PX = 14
"""Where the first score looks at, down and across."""

REACH_PX = 136
"""Farther from a score than this there is nothing that it sees: 94 px down and across."""

WINDOW_PIXELS = 4_000_000
"""Pixels of a window: a frame of 1280x720 in one go, in 100 MB of the network's memory."""

BATCH_PIXELS = 24_000_000
"""Pixels of windows that are drawn together, in 288 MB: each batch resizes the picture anew, which takes
a fiftieth of the network's time."""

MAX_RESIZE_COLUMNS = 65_000
"""Columns that dlib's resize can be trusted with."""

PIXEL_MEANS = np.array([122.782, 117.001, 104.298], np.float32)


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of whole pixels or scores; bottom and right lie outside."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left


@dataclass(frozen=True, slots=True)
class TiledPyramid:
    """Where each level lies, the image itself first; the sheet's size in pixels."""

    levels: tuple[Area, ...]
    height: int
    width: int

    @property
    def scores(self) -> Area:
        """All scores of the sheet; empty if it is smaller than what one score sees."""
        rows, columns = ((side - NEAR_PX) // STRIDE_PX + 1 for side in (self.height, self.width))
        return Area(0, 0, max(rows, 0), max(columns, 0))


def tile_pyramid(height: int, width: int) -> TiledPyramid:
    """The layout for an image of that size, equal to that of dlib's create_tiled_pyramid."""
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
        # dlib leaves a level out, and all after it, rather than lay it over the image.
        if lowest - rows < MARGIN_PX + height:
            break
        levels.append(Area(lowest - rows, right - columns, lowest, right))
        lowest -= rows + GAP_PX
    return TiledPyramid(tuple(levels), bottom + MARGIN_PX, width + 2 * MARGIN_PX)


def _left_column_length(sizes: Sequence[tuple[int, int]]) -> int:
    """How many levels stand at the left: up to where the next fits beside the one before it, and
    at least half of what would stand below the image does."""
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
    """The scores in parts of a size that fits the memory, each halved along its longer side."""
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


def areas_from_level(on: TiledPyramid, first: int) -> list[Area]:
    """The scores that may belong to faces on level `first` and smaller ones: the left column's, over
    the whole width of the sheet, and those beside it.

    A score above zero sees pixels of some level, so it lies within REACH_PX of the level it belongs
    to; farther away from all of them the sheet is blank.
    """
    whole = on.scores
    left = [level for level in on.levels[first:] if level.left == MARGIN_PX]
    right = [level for level in on.levels[first:] if level.left > MARGIN_PX]
    top = _score_at(min((level.top for level in left), default=on.height) - REACH_PX, whole.bottom)
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
    """The first score whose centre lies at a pixel or behind it."""
    return min(max((pixel - CENTRE_PX) // STRIDE_PX, 0), last)


def receptive_field(scores: Area, on: TiledPyramid) -> Area:
    """All pixels of the sheet that these scores depend on, from a multiple of the stride on."""
    after = NEAR_PX - STRIDE_PX
    return Area(
        max(scores.top - HALO_SCORES, 0) * STRIDE_PX,
        max(scores.left - HALO_SCORES, 0) * STRIDE_PX,
        min((scores.bottom + HALO_SCORES) * STRIDE_PX + after, on.height),
        min((scores.right + HALO_SCORES) * STRIDE_PX + after, on.width),
    )


def batch_windows(areas: Iterable[Area], on: TiledPyramid) -> Iterator[list[tuple[Area, Area]]]:
    """All windows of some areas, with their pixels, in parts of BATCH_PX at most, or of one window."""
    batch: list[tuple[Area, Area]] = []
    size = 0
    for window in (window for area in areas for window in split_into_windows(area)):
        part = receptive_field(window, on)
        size += part.height * part.width
        if batch and size > BATCH_PIXELS:
            yield batch
            batch, size = [], part.height * part.width
        batch.append((window, part))
    if batch:
        yield batch


def draw_parts(rgb: Rgb, on: TiledPyramid, parts: Sequence[Area]) -> list[Float32Array]:
    """Parts of the sheet with the pyramid of `rgb` on it, each (1, 3, height, width), less the MEANS.

    Each level is a bilinear resize of the float level before it, corners on corners; done by dlib,
    so that it rounds as dlib does.
    """
    drawn = [np.zeros((1, 3, part.height, part.width), np.float32) for part in parts]
    seen = [
        number for number, level in enumerate(on.levels) if any(_intersect(level, part) for part in parts)
    ]
    for channel, mean in enumerate(PIXEL_MEANS):
        plane: Any = rgb[:, :, channel]
        for number in range(max(seen, default=-1) + 1):
            if number == 1:
                plane = plane.astype(np.float32)
                plane -= mean
            level = on.levels[number]
            if number:
                plane = resize_like_dlib(plane, level.height, level.width)
            for part, target in zip(parts, drawn, strict=True):
                if _intersect(level, part):
                    _copy_overlap(plane, level, part, target[0, channel], 0 if number else mean)
    return drawn


def resize_like_dlib(picture: Any, height: int, width: int) -> Any:
    """dlib's bilinear resize of a grey or an RGB picture.

    It walks along a row in float32: from some 78,000 columns on that lags, and dlib writes behind the end
    of its memory. Down a column it walks in float64, so what is wide is laid on its side.
    """
    if max(picture.shape[1], width) <= MAX_RESIZE_COLUMNS:
        return dlib.resize_image(picture, height, width)
    lying = np.ascontiguousarray(picture.swapaxes(0, 1))
    return np.ascontiguousarray(dlib.resize_image(lying, width, height).swapaxes(0, 1))


def _intersect(one: Area, other: Area) -> bool:
    return (
        one.top < other.bottom
        and other.top < one.bottom
        and one.left < other.right
        and other.left < one.right
    )


def _copy_overlap(plane: Any, level: Area, part: Area, target: Float32Array, mean: float) -> None:
    """What of a level lies in a part of the sheet, less the mean."""
    top, bottom = max(level.top, part.top), min(level.bottom, part.bottom)
    left, right = max(level.left, part.left), min(level.right, part.right)
    place = target[top - part.top : bottom - part.top, left - part.left : right - part.left]
    place[:] = plane[top - level.top : bottom - level.top, left - level.left : right - level.left]
    if mean:
        place -= mean
