"""A mask over mouth and nose, drawn onto a face."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from face_det.faces import Rgb

Points = npt.NDArray[np.floating]

CLOTH = np.array([165.0, 200.0, 220.0])
"""The colour of a surgical mask in good light."""

OUTLINE = np.array(
    [
        # across (distances of the eyes, from the middle of the face), down (eyes to mouth)
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
BRIDGE = (2, 3)
"""Points of the outline that lie on the nose, and follow it when the head turns."""
PLEATS = (0.75, 1.0, 1.25)
_FINER = 4
"""Fractional bits of the points drawn, so that small masks are not rounded to whole pixels."""


def masked(rgb: Rgb, points: Points) -> Rgb:
    """A copy of a picture with a mask on one face.

    `points` are of shape (5, 2): the eyes, the nose's tip and the mouth's corners, each left one of
    the picture first.
    """
    points = np.asarray(points, np.float64)
    eyes, nose = points[:2], points[2]
    across, middle = eyes[1] - eyes[0], eyes.mean(axis=0)
    down = points[3:].mean(axis=0) - middle
    # How far the head is turned: the nose leaves the middle, and the outline goes the other way.
    turned = float(np.clip((nose - middle) @ across / (across @ across), -0.5, 0.5))
    places = OUTLINE.copy()
    places[:, 0] -= 0.8 * turned
    places[BRIDGE, 0] = OUTLINE[BRIDGE, 0] + 0.5 * turned
    outline = middle + places[:, :1] * across + places[:, 1:] * down
    light = _light(rgb, nose)
    drawn: Rgb = np.array(rgb)
    cv2.fillPoly(drawn, [_fixed(outline)], (CLOTH * light).tolist(), cv2.LINE_AA, _FINER)
    thickness = max(1, round(float(np.linalg.norm(across)) / 40))
    for height in PLEATS:
        ends = middle + np.array([[-0.8, height - 0.05], [0.0, height + 0.03], [0.8, height - 0.05]]) @ (
            np.stack([across, down])
        )
        ends -= 0.8 * turned * across
        cv2.polylines(
            drawn, [_fixed(ends)], False, (CLOTH * light * 0.82).tolist(), thickness, cv2.LINE_AA, _FINER
        )
    return drawn


def _light(rgb: Rgb, nose: Points) -> float:
    """How well the face is lit, 0.15..1, by the pixels about the nose."""
    x, y = (int(value) for value in nose)
    around = rgb[max(y - 8, 0) : max(y + 8, 1), max(x - 8, 0) : max(x + 8, 1)]
    return float(np.clip(around.mean() / 150 if around.size else 1.0, 0.15, 1.0))


def _fixed(points: Points) -> npt.NDArray[np.int32]:
    return np.asarray(np.rint(points * 2**_FINER), np.int32)
