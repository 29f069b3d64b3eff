"""Makes pictures worse in ways that occur in practice: small, blurred, compressed, dark, or masked faces."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from face_det.media.transform import resize_image
from face_det.types import Box, Rgb

LandmarkPoints = npt.NDArray[np.floating]
"""Landmarks in pixels of the picture, shape (5, 2): eyes, nose tip, mouth corners."""

Degradation = Callable[[Rgb, Box], Rgb]
"""Takes a picture and the box of the face in question, and returns a new picture."""

BLUR_SHARE = 1 / 25
"""Standard deviation of the blur as a share of the face's width: 4 px for a face of 100 px."""
EXPOSURE_SHARE = 1 / 16
"""Four stops less light, with the camera's noise left as it is."""
NOISE_SIGMA = 3.0
"""Standard deviation of the camera's noise, in grey levels."""
NOISE_SEED = 1234
JPEG_QUALITY = 20

MASK_COLOUR = np.array([165.0, 200.0, 220.0])
"""The RGB colour of a surgical mask in good light."""

MASK_OUTLINE = np.array(
    [
        # across (in eye distances from the middle of the face), down (in distances from eyes to mouth)
        (-1.02, 0.42),
        (-0.45, 0.36),
        (-0.16, 0.24),
        (0.16, 0.24),
        (0.45, 0.36),
        (1.02, 0.42),
        (0.98, 0.95),
        (0.74, 1.45),
        (0.36, 1.76),
        (0.0, 1.84),
        (-0.36, 1.76),
        (-0.74, 1.45),
        (-0.98, 0.95),
    ]
)
MASK_NOSE_POINTS = (2, 3)
"""The outline's points on the nose, which follow it when the head turns."""
MASK_PLEATS = (0.75, 1.0, 1.25)
"""Heights of the mask's pleats, in distances from eyes to mouth."""
_FRACTIONAL_BITS = 4
"""Fractional bits of drawn points, so that small masks are not rounded to whole pixels."""


def shrink_to_face_width(rgb: Rgb, box: Box, width_px: float) -> Rgb:
    """Shrink the whole picture until the face is `width_px` wide; never enlarges it.

    >>> shrink_to_face_width(np.zeros((80, 100, 3), np.uint8), Box(0, 0, 40, 40), width_px=20).shape
    (40, 50, 3)
    """
    factor = width_px / max(box.width, 1.0)
    if factor >= 1:
        return np.array(rgb)
    size = (max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor)))
    return resize_image(rgb, *size)


def blur_image(rgb: Rgb, box: Box) -> Rgb:
    """Blur the picture like one out of focus, in proportion to the face's width.

    >>> edge = np.repeat(np.uint8([[[0], [255]]]), 3, axis=2)
    >>> bool(np.ptp(blur_image(edge, Box(0, 0, 50, 50))) < 10)
    True
    """
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), max(0.5, box.width * BLUR_SHARE)))


def compress_image(rgb: Rgb, box: Box) -> Rgb:
    """Compress the picture as a JPEG of quality 20, and decode it again.

    >>> compress_image(np.full((8, 8, 3), 128, np.uint8), Box(0, 0, 8, 8))[0, 0].tolist()
    [128, 128, 128]
    """
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def darken_image(rgb: Rgb, box: Box) -> Rgb:
    """Darken the picture to a sixteenth of its light, at a display gamma of 2.2, with reproducible noise.

    >>> int(darken_image(np.full((90, 90, 3), 200, np.uint8), Box(0, 0, 90, 90)).mean().round())
    57
    """
    noise = np.random.default_rng(NOISE_SEED).normal(0, NOISE_SIGMA, rgb.shape)
    dark = 255 * (rgb / 255.0) * EXPOSURE_SHARE ** (1 / 2.2) + noise
    return np.asarray(np.clip(np.rint(dark), 0, 255), dtype=np.uint8)


def _shrinking_to(width_px: int) -> Degradation:
    return lambda rgb, box: shrink_to_face_width(rgb, box, width_px)


DEGRADATIONS: dict[str, Degradation] = {
    **{f"{width} px": _shrinking_to(width) for width in (60, 40, 30, 20)},
    "blurred": blur_image,
    "JPEG 20": compress_image,
    "dark": darken_image,
}
"""Degradations by their names in the evaluation report."""


def draw_mask(rgb: Rgb, points: LandmarkPoints) -> Rgb:
    """Draw a face mask over the mouth and nose of one face, in a copy of the picture.

    `points` (5, 2) are landmarks in pixels: the eyes, the nose tip and the mouth corners, the one farther
    left in the picture first.

    >>> points = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]])
    >>> drawn = draw_mask(np.zeros((120, 100, 3), np.uint8), points)
    >>> bool(drawn[70, 50].any()), bool(drawn[20, 50].any())
    (True, False)
    """
    points = np.asarray(points, np.float64)
    eyes, nose = points[:2], points[2]
    across, middle = eyes[1] - eyes[0], eyes.mean(axis=0)
    down = points[3:].mean(axis=0) - middle
    # How far the head is turned: as the nose leaves the middle, the outline moves the other way.
    turned = float(np.clip((nose - middle) @ across / (across @ across), -0.5, 0.5))
    places = MASK_OUTLINE.copy()
    places[:, 0] -= 0.8 * turned
    places[MASK_NOSE_POINTS, 0] = MASK_OUTLINE[MASK_NOSE_POINTS, 0] + 0.5 * turned
    outline = middle + places[:, :1] * across + places[:, 1:] * down
    light = _face_brightness(rgb, nose)
    drawn: Rgb = np.array(rgb)
    cv2.fillPoly(
        drawn, [_to_fixed_point(outline)], (MASK_COLOUR * light).tolist(), cv2.LINE_AA, _FRACTIONAL_BITS
    )
    thickness = max(1, round(float(np.linalg.norm(across)) / 40))
    for height in MASK_PLEATS:
        ends = middle + np.array([[-0.8, height - 0.05], [0.0, height + 0.03], [0.8, height - 0.05]]) @ (
            np.stack([across, down])
        )
        ends -= 0.8 * turned * across
        cv2.polylines(
            drawn,
            [_to_fixed_point(ends)],
            False,
            (MASK_COLOUR * light * 0.82).tolist(),
            thickness,
            cv2.LINE_AA,
            _FRACTIONAL_BITS,
        )
    return drawn


def _face_brightness(rgb: Rgb, nose: LandmarkPoints) -> float:
    """Estimate how well the face is lit, 0.15..1, from the pixels around the nose."""
    x, y = (int(value) for value in nose)
    around = rgb[max(y - 8, 0) : max(y + 8, 1), max(x - 8, 0) : max(x + 8, 1)]
    return float(np.clip(around.mean() / 150 if around.size else 1.0, 0.15, 1.0))


def _to_fixed_point(points: LandmarkPoints) -> npt.NDArray[np.int32]:
    return np.asarray(np.rint(points * 2**_FRACTIONAL_BITS), np.int32)
