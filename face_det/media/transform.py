"""Resizes, crops, warps and measures pictures. All are RGB uint8 of shape (H, W, 3)."""

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
"""An affine map of shape (2, 3), from pixels (x, y, 1) of one picture to those of another."""

MAX_BILINEAR_SCALE = 2.0
"""Faces enlarged more than this, those narrower than some 45 px, are interpolated bicubically. At one false
match in 1,000 comparisons, cosines to the own template rise from .70 to .71 for faces of 24 px, and from .57
to .59 at 16 px (100 enrolled photos of LFW); above 45 px there is no difference."""

WARP_BORDER_PX = 3
"""Pixels cut off on every side before anything else."""

MAX_WARP_SHIFT = 0.02
"""The largest shift down and across, in either direction, as a share of the side."""

MAX_WARP_DEGREES = 3.0
"""The largest rotation in either direction."""

WARP_ZOOM = (0.97, 1.0)
"""The range of the share of the new side that the old side fills."""


def pixel_region(box: Box, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return the pixels (left, top, right, bottom) that a box covers in an image of that size.

    Each edge loses its fraction, as in `img[int(ymin):int(ymax), int(xmin):int(xmax)]`, and is then
    clipped to the image; right and bottom are exclusive. None if nothing is left, or if an edge is not
    finite.

    >>> pixel_region(Box(-3.5, 1.9, 4.7, 99.0), width=10, height=8)
    (0, 1, 4, 8)
    """
    edges = (box.xmin, box.ymin, box.xmax, box.ymax)
    if not all(math.isfinite(edge) for edge in edges):
        return None
    left, top, right, bottom = (
        min(max(int(edge), 0), limit) for edge, limit in zip(edges, (width, height) * 2, strict=True)
    )
    return (left, top, right, bottom) if left < right and top < bottom else None


def crop_box(rgb: Rgb, box: Box) -> Rgb | None:
    """Return the part of an image inside a box, as a view of shape (h, w, 3).

    Its top left corner is `pixel_region(...)[:2]`. None if the box covers no pixel.

    >>> crop_box(np.zeros((8, 10, 3), np.uint8), Box(2, 1, 5, 3)).shape
    (2, 3, 3)
    """
    part = pixel_region(box, rgb.shape[1], rgb.shape[0])
    if part is None:
        return None
    left, top, right, bottom = part
    return rgb[top:bottom, left:right]


def measure_focus(rgb: Rgb, box: Box) -> float:
    """Measure the sharpness of the part of an image inside a box: the variance of its Laplacian.

    This is the measure LAP4 of Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy"
    (2000). It grows with contrast and with the size of the picture, so thresholds depend on the camera.
    0.0 if the box covers no pixel.

    >>> measure_focus(np.full((8, 8, 3), 128, np.uint8), Box(0, 0, 8, 8))
    0.0
    """
    part = crop_box(rgb, box)
    if part is None:
        return 0.0
    return float(cv2.Laplacian(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def resize_image(rgb: Rgb, width: int, height: int) -> Rgb:
    """Resize a picture to `width` x `height`: average pixels to shrink it, interpolate to enlarge it.

    >>> resize_image(np.zeros((8, 10, 3), np.uint8), width=5, height=4).shape
    (4, 5, 3)
    """
    smaller = width * height < rgb.shape[0] * rgb.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=way), np.uint8)


def warp_to_square(rgb: Rgb, matrix: AffineMatrix, side: int) -> Rgb:
    """Warp a picture to a square of `side` pixels; black outside the picture.

    `matrix` maps the picture to the square. Interpolation is bilinear, as in OpenCV's alignCrop, up to
    MAX_BILINEAR_SCALE; what is enlarged more is interpolated bicubically, because small faces are then
    recognised better.

    >>> warp_to_square(np.full((4, 4, 3), 9, np.uint8), np.eye(2, 3), side=2).tolist()
    [[[9, 9, 9], [9, 9, 9]], [[9, 9, 9], [9, 9, 9]]]
    """
    scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    how = cv2.INTER_LINEAR if scale <= MAX_BILINEAR_SCALE else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(rgb, matrix, (side, side), flags=how), np.uint8)


def equalise_grey(rgb: Rgb) -> Rgb:
    """Turn a picture grey and spread its grey values evenly over 0 to 255; shape (H, W).

    >>> dark = np.repeat(np.arange(16, dtype=np.uint8), 3).reshape(4, 4, 3)
    >>> int(equalise_grey(dark).min()), int(equalise_grey(dark).max())
    (0, 255)
    """
    return np.asarray(cv2.equalizeHist(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)), np.uint8)


def cut_square(rgb: Rgb, left: float, top: float, width: float, side: int) -> tuple[Rgb, AffineMatrix]:
    """Cut a square out of a picture and resize it to `side` pixels.

    The square may have any width and position, in pixels of the picture; it is black outside the
    picture. Where several pixels become one they are averaged, not just interpolated. Returns the square
    and the matrix that maps its pixels back to the picture.

    >>> picture, back = cut_square(np.full((8, 8, 3), 9, np.uint8), left=2, top=2, width=4, side=2)
    >>> picture.shape, back.tolist()
    ((2, 2, 3), [[2.0, 0.0, 2.5], [0.0, 2.0, 2.5]])
    """
    step = max(int(width / side), 1)
    # Only the visible part is touched, because the square may be far larger than the picture.
    edges = np.array([left, top, left + width, top + width])
    x, y, right, bottom = np.clip([*np.floor(edges[:2]), *np.ceil(edges[2:])], 0, [*rgb.shape[1::-1]] * 2)
    seen = rgb[int(y) : int(bottom), int(x) : int(right)]
    columns, rows = seen.shape[1] // step, seen.shape[0] // step
    if not (columns and rows):
        return np.zeros((side, side, 3), np.uint8), _placement(left, top, width / side)
    if step > 1:
        seen = resize_image(seen[: rows * step, : columns * step], columns, rows)
    back = _placement(left, top, width / side)
    # From the square to the picture, and on to its visible part.
    there = back.copy()
    there[:, 2] = (back[:, 2] - [x, y] + 0.5) / step - 0.5
    there[:, :2] /= step
    drawn = cv2.warpAffine(seen, there, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(drawn, np.uint8), back


def random_warps(rgb: Rgb, count: int, rng: np.random.Generator) -> Iterator[Rgb]:
    """Yield `count` copies of a square picture, each randomly shifted, turned, zoomed and perhaps mirrored.

    They have the picture's size, and are black outside it.

    >>> rng = np.random.default_rng(0)
    >>> [copy.shape for copy in random_warps(np.zeros((150, 150, 3), np.uint8), 2, rng)]
    [(150, 150, 3), (150, 150, 3)]
    """
    height, width = rgb.shape[:2]
    side = min(height, width) - 2 * WARP_BORDER_PX
    for _ in range(count):
        shift = rng.uniform(-MAX_WARP_SHIFT, MAX_WARP_SHIFT, 2) * side
        turn, zoom = rng.uniform(-MAX_WARP_DEGREES, MAX_WARP_DEGREES), rng.uniform(*WARP_ZOOM)
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        # From the new picture's pixels to the old one's; to mirror, columns count from the right.
        matrix = cv2.getRotationMatrix2D(middle.tolist(), turn, side / zoom / min(height, width))
        matrix[:, 2] += shift
        if rng.random() < 0.5:
            matrix[:, 2] += matrix[:, 0] * (width - 1)
            matrix[:, 0] *= -1
        changed = cv2.warpAffine(rgb, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        yield np.asarray(changed, np.uint8)


def make_thumbnail(rgb: Rgb, side_px: int) -> bytes:
    """Encode a picture as a JPEG whose longer side has at most `side_px` pixels.

    >>> make_thumbnail(np.zeros((80, 100, 3), np.uint8), side_px=50)[:3]
    b'\\xff\\xd8\\xff'
    """
    picture = Image.fromarray(rgb)
    picture.thumbnail((side_px, side_px))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    return data.getvalue()


def read_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return a JPEG's width and height in pixels; its first bytes are enough. None if it is no JPEG.

    >>> read_jpeg_size(make_thumbnail(np.zeros((80, 100, 3), np.uint8), side_px=50)[:700])
    (50, 40)
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
            return picture.width, picture.height
    except OSError:
        return None


def make_face_thumbnail(rgb: Rgb, box: Box, side_px: int) -> bytes:
    """Encode a face with a margin of half its size on every side as a JPEG of at most `side_px` pixels.

    It is never enlarged, and the margin ends where the picture does. With this margin, detectors find the
    face in the thumbnail again.

    >>> make_face_thumbnail(np.zeros((80, 100, 3), np.uint8), Box(40, 30, 60, 50), side_px=50)[:3]
    b'\\xff\\xd8\\xff'
    """
    margin = max(box.width, box.height) / 2
    around = Box(box.xmin - margin, box.ymin - margin, box.xmax + margin, box.ymax + margin)
    part = crop_box(rgb, around)
    part = rgb[:1, :1] if part is None else part
    scale = side_px / max(part.shape[:2])
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in part.shape[:2])
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    # By OpenCV, because every face of every call gets one: it takes a third of Pillow's time.
    _, data = cv2.imencode(".jpg", part[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return data.tobytes()


def _placement(left: float, top: float, scale: float) -> AffineMatrix:
    return np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])
