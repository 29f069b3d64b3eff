"""Small random changes of a picture: shifted, turned, zoomed, mirrored."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from face_det.faces import Rgb

BORDER_PX = 3
"""Left out all around, before anything else."""

SHIFT = 0.02
"""In parts of the side, down and across, either way."""

TURN_DEGREES = 3.0
"""Either way."""

ZOOM = (0.97, 1.0)
"""The part of the new picture's side that the old one's fills."""


def warps(rgb: Rgb, count: int, rng: np.random.Generator) -> Iterator[Rgb]:
    """`count` changed copies of a square picture, in its size; black where they lie outside it."""
    height, width = rgb.shape[:2]
    side = min(height, width) - 2 * BORDER_PX
    for _ in range(count):
        shift = rng.uniform(-SHIFT, SHIFT, 2) * side
        turn, zoom = rng.uniform(-TURN_DEGREES, TURN_DEGREES), rng.uniform(*ZOOM)
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        # From the new picture's pixels to the old one's; mirrored, columns are counted from the right.
        matrix = cv2.getRotationMatrix2D(middle.tolist(), turn, side / zoom / min(height, width))
        matrix[:, 2] += shift
        if rng.random() < 0.5:
            matrix[:, 2] += matrix[:, 0] * (width - 1)
            matrix[:, 0] *= -1
        changed = cv2.warpAffine(rgb, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        yield np.asarray(changed, np.uint8)
