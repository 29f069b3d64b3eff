"""Parts of a picture that a network of one input size looks at in turn."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from face_det.media import resize_image
from face_det.types import Box, Rgb

MAX_EXTRA_DOUBLINGS = 2
"""A picture more than eight times as long as it is wide is looked at as if it were four times so."""


def plan_views(width: int, height: int, aspect: float, upsample: int = 0) -> Iterator[Box]:
    """Yield the parts of a picture to look at: all of it, then parts of half that size, a quarter and so on.

    All have the network's `aspect`, its width by its height, and may reach beyond the picture. Neighbours of
    one size share half of it, so that a face on the edge of one is in the middle of another. Each of
    `upsample` doublings shows faces twice as large; a picture that would leave half of the network's input
    empty is doubled without being asked.

    >>> [*plan_views(640, 480, aspect=1)]
    [Box(xmin=0.0, ymin=0.0, xmax=640.0, ymax=640.0)]
    >>> len([*plan_views(640, 480, aspect=1, upsample=1)]), len([*plan_views(900, 342, aspect=1)])
    (7, 4)
    """
    side = max(float(width), height * aspect)
    filled = min(width / side, height * aspect / side)
    extra = min(int(math.log2(1 / filled)), MAX_EXTRA_DOUBLINGS)
    for level in range(upsample + extra + 1):
        across, down = side / 2**level, side / aspect / 2**level
        for top in _starts(height, down):
            for left in _starts(width, across):
                yield Box(left, top, left + across, top + down)


def _starts(length: float, part: float) -> list[float]:
    """Where parts begin that overlap by half, the last one at the end; one part if it is long enough."""
    if part >= length:
        return [0.0]
    count = math.ceil((length - part) / (part / 2))
    return [number * (length - part) / count for number in range(count + 1)]


def draw_view(rgb: Rgb, view: Box, width: int, height: int, grey: int = 0) -> tuple[Rgb, float]:
    """Draw a view of a picture into an input of `width` x `height` pixels; return it, and how many pixels of
    the picture one of its pixels is.

    What is beyond the picture is grey, 0 to 255.
    """
    times = view.width / width
    left, top = round(view.xmin), round(view.ymin)
    part = rgb[top : math.ceil(view.ymax), left : math.ceil(view.xmax)]
    columns = min(max(round(part.shape[1] / times), 1), width)
    rows = min(max(round(part.shape[0] / times), 1), height)
    canvas = np.full((height, width, 3), grey, np.uint8)
    canvas[:rows, :columns] = resize_image(part, columns, rows)
    return canvas, times
