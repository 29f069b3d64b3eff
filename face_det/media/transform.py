"""Pictures in another size, and squares of them turned upright."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from face_det.types import Box, Rgb

AffineMatrix = npt.NDArray[np.float64]
"""(2, 3): from pixels (x, y, 1) of one picture to those of another."""


def resize_image(rgb: Rgb, width: int, height: int) -> Rgb:
    """The picture in another size: pixels averaged where it becomes smaller, else interpolated."""
    smaller = width * height < rgb.shape[0] * rgb.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=way), np.uint8)


def warp_to_square(rgb: Rgb, matrix: AffineMatrix, side: int) -> Rgb:
    """A square of that side, whose pixels are interpolated between the nearest four of the picture;
    black where it lies outside. `matrix` leads from the picture to the square."""
    return np.asarray(cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)


def cut_square(rgb: Rgb, left: float, top: float, width: float, side: int) -> tuple[Rgb, AffineMatrix]:
    """A square part of the picture, of any width and place, as a square of `side` pixels, and the
    matrix from there back to the picture. Black outside; averaged, not only interpolated, where many
    pixels become one."""
    step = max(int(width / side), 1)
    # Only what is seen is looked at: a part may be far larger than the picture.
    edges = np.array([left, top, left + width, top + width])
    x, y, right, bottom = np.clip([*np.floor(edges[:2]), *np.ceil(edges[2:])], 0, [*rgb.shape[1::-1]] * 2)
    seen = rgb[int(y) : int(bottom), int(x) : int(right)]
    columns, rows = seen.shape[1] // step, seen.shape[0] // step
    if not (columns and rows):
        return np.zeros((side, side, 3), np.uint8), _placement(left, top, width / side)
    if step > 1:
        seen = resize_image(seen[: rows * step, : columns * step], columns, rows)
    back = _placement(left, top, width / side)
    # From the square to the picture, and on to what is seen of it.
    there = back.copy()
    there[:, 2] = (back[:, 2] - [x, y] + 0.5) / step - 0.5
    there[:, :2] /= step
    drawn = cv2.warpAffine(seen, there, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(drawn, np.uint8), back


def _placement(left: float, top: float, scale: float) -> AffineMatrix:
    return np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])


def pixel_region(box: Box, width: int, height: int) -> tuple[int, int, int, int] | None:
    """The whole pixels of a box within an image of that size: (left, top, right, bottom).

    Each edge loses its fraction, as in `img[int(ymin):int(ymax), int(xmin):int(xmax)]`, and is then
    clipped to the image. None where nothing is left, or an edge is no finite number.
    """
    edges = (box.xmin, box.ymin, box.xmax, box.ymax)
    if not all(math.isfinite(edge) for edge in edges):
        return None
    left, top, right, bottom = (
        min(max(int(edge), 0), limit) for edge, limit in zip(edges, (width, height) * 2, strict=True)
    )
    return (left, top, right, bottom) if left < right and top < bottom else None


def crop_box(rgb: Rgb, box: Box) -> Rgb | None:
    """The part of an image in a box, as a view; None where `region` is. Its origin is region()[:2]."""
    part = pixel_region(box, rgb.shape[1], rgb.shape[0])
    if part is None:
        return None
    left, top, right, bottom = part
    return rgb[top:bottom, left:right]


def measure_focus(rgb: Rgb, box: Box) -> float:
    """Sharpness of the part of an image in a box: the variance of its Laplacian; 0.0 for no part.

    The measure LAP4 of Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000);
    it grows with contrast and with the size of the picture, so thresholds depend on the camera.
    """
    part = crop_box(rgb, box)
    if part is None:
        return 0.0
    return float(cv2.Laplacian(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def make_thumbnail(rgb: Rgb, side_px: int) -> bytes:
    """A JPEG whose longer side is at most so long."""
    picture = Image.fromarray(rgb)
    picture.thumbnail((side_px, side_px))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    return data.getvalue()


WARP_BORDER_PX = 3
"""Left out all around, before anything else."""

MAX_WARP_SHIFT = 0.02
"""In parts of the side, down and across, either way."""

MAX_WARP_DEGREES = 3.0
"""Either way."""

WARP_ZOOM = (0.97, 1.0)
"""The part of the new picture's side that the old one's fills."""


def random_warps(rgb: Rgb, count: int, rng: np.random.Generator) -> Iterator[Rgb]:
    """`count` changed copies of a square picture, in its size; black where they lie outside it."""
    height, width = rgb.shape[:2]
    side = min(height, width) - 2 * WARP_BORDER_PX
    for _ in range(count):
        shift = rng.uniform(-MAX_WARP_SHIFT, MAX_WARP_SHIFT, 2) * side
        turn, zoom = rng.uniform(-MAX_WARP_DEGREES, MAX_WARP_DEGREES), rng.uniform(*WARP_ZOOM)
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        # From the new picture's pixels to the old one's; mirrored, columns are counted from the right.
        matrix = cv2.getRotationMatrix2D(middle.tolist(), turn, side / zoom / min(height, width))
        matrix[:, 2] += shift
        if rng.random() < 0.5:
            matrix[:, 2] += matrix[:, 0] * (width - 1)
            matrix[:, 0] *= -1
        changed = cv2.warpAffine(rgb, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        yield np.asarray(changed, np.uint8)
