"""Shows one person of a picture alone, so that no one else in it is taken for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face_det.errors import BadImage
from face_det.integrations.frigate.event import FrigateEvent
from face_det.media import encode_jpeg, load_image, read_jpeg_size
from face_det.types import Box

MARGIN = 0.15
"""How much is shown around the person, as a fraction of their width and height."""
GREY = 127
SQUARE = 0.85, 1.2
"""Frigate crops to a square around the object, which the frame's edge may cut; no whole frame is square."""


@dataclass(frozen=True, slots=True)
class PersonPicture:
    """A picture, and where the person is in it, in its pixels; None if that is unknown."""

    picture: bytes
    box: Box | None


def isolate_person(picture: bytes, box: Box | None, *, shares: bool = False) -> PersonPicture:
    """Return a picture with everything but one person painted grey, so that the frame keeps its size.

    `box` is in pixels or, with `shares`, in fractions of the picture's width and height (0..1). Without a box
    the picture stays as it is. Raises BadImage if it cannot be read.
    """
    if box is None:
        return PersonPicture(picture, None)
    rgb = load_image(picture, place="a picture of Frigate's")
    height, width = rgb.shape[:2]
    if shares:
        box = Box(box.xmin * width, box.ymin * height, box.xmax * width, box.ymax * height)
    inside = box.clipped(width, height)
    if inside.width < 1 or inside.height < 1:
        raise BadImage(f"a picture of Frigate's: must contain the person at {box}, is {width} x {height}")
    across, down = MARGIN * inside.width, MARGIN * inside.height
    left, right = int(max(inside.xmin - across, 0)), int(min(inside.xmax + across, width)) + 1
    top, bottom = int(max(inside.ymin - down, 0)), int(min(inside.ymax + down, height)) + 1
    shown = np.full_like(rgb, GREY)
    shown[top:bottom, left:right] = rgb[top:bottom, left:right]
    return PersonPicture(encode_jpeg(shown), inside)


def shows_whole_frame(picture: bytes) -> bool:
    """Tell whether a JPEG shows the whole frame, judging by its aspect ratio.

    >>> import numpy as np
    >>> [shows_whole_frame(encode_jpeg(np.zeros((72, width, 3), np.uint8))) for width in (128, 72)]
    [True, False]
    """
    size = read_jpeg_size(picture)
    return size is not None and not SQUARE[0] <= size[0] / size[1] <= SQUARE[1]


def share_at(event: FrigateEvent, time: float) -> Box | None:
    """Return where a person was at a time, as fractions of the frame (0..1), according to Frigate's path.

    The box is as large as in Frigate's best picture, which usually shows the person at their nearest.
    """
    share = event.share
    if share is None:
        return None
    x, y = (share.xmin + share.xmax) / 2, share.ymax
    if event.path:
        times = [point.time for point in event.path]
        x = float(np.interp(time, times, [point.x for point in event.path]))
        y = float(np.interp(time, times, [point.y for point in event.path]))
    return Box(x - share.width / 2, y - share.height, x + share.width / 2, y).clipped(1, 1)
