"""Where a face lies in a picture, by five points: the detector's, else YuNet's, else dlib's."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any

import dlib
import numpy as np
import numpy.typing as npt

from face_det.media import AffineMatrix, cut_square
from face_det.nets import DEFAULT_COMPUTE, Compute, Yunet, YunetFaces, weights_path
from face_det.types import Box, Detection, Rgb

Points = npt.NDArray[np.floating]

ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where the eyes, the nose's tip and the corners of the mouth belong in a chip of 112 px: the template
that ArcFace was trained with, and most since (Deng et al., 2019; OpenCV's numbers)."""

DLIB_TEMPLATE = np.array([[79.6, 52.9], [65.9, 53.6], [31.3, 53.2], [45.0, 53.7], [55.5, 80.4]])
"""The same of dlib's five: corners of the eyes from right to left, base of the nose; means over LFW."""

MIN_YUNET_SCORE = 0.3
"""For YuNet where a detector has seen a face already."""

CROP_SIDE_PX = 160
CROPS = ((0.45, -1, -1), (0.65, 1, 1), (0.85, -1, 1), (1.1, 1, -1))
"""Margin around the box in parts of its side, and to which sides the look is shifted, by SHIFT.

YuNet's points jump by a tenth of the distance of the eyes with each pixel that the face is shifted, or
scaled. Means of several looks lie closer: of pairs of photos of one person in LFW, at one false
match in 100,000, 95.7 % are recognised by four looks, 95.6 % by eight, 93.7 % by the points of the
whole picture."""

CROP_SHIFT = 0.035

MIN_SPREAD = 1e-3
"""Of points around their middle, in pixels squared: any less is one point."""


class FaceAligner:
    """Finds faces' alignment; may be called from several threads."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE) -> None:
        # Now, so that missing weights are said at the start.
        load_landmark_predictor("landmarks5")
        self._network = Yunet(compute)

    def matrix(self, rgb: Rgb, detection: Detection) -> AffineMatrix:
        """From pixels of the picture to those of a chip of 112 px, for any box."""
        if detection.landmarks is not None:
            found = fit_similarity(detection.landmarks, ARCFACE_TEMPLATE)
            if found is not None:
                return found
        points = self.points(rgb, detection.box)
        found = fit_similarity(points, ARCFACE_TEMPLATE) if points is not None else None
        if found is None:
            found = fit_similarity(detect_dlib_points(rgb, detection.box), DLIB_TEMPLATE)
        return found if found is not None else _matrix_from_box(detection.box)

    def points(self, rgb: Rgb, box: Box) -> Points | None:
        """YuNet's five points of the face in a box, (5, 2) pixels; None where it sees none."""
        side = max(box.width, box.height, 1.0)
        middle = np.array([box.xmin + box.xmax, box.ymin + box.ymax]) / 2
        looks = []
        for margin, across, down in CROPS:
            width = side * (1 + 2 * margin)
            left, top = middle - width / 2 + CROP_SHIFT * side * np.array([across, down])
            looks.append(cut_square(rgb, left, top, width, CROP_SIDE_PX))
        seen = []
        for found, (_, back) in zip(
            self._network.faces([look for look, _ in looks], MIN_YUNET_SCORE), looks, strict=True
        ):
            points = _landmarks_nearest_to(found, back, middle, side / 2)
            if points is not None:
                seen.append(points)
        return np.median(seen, axis=0) if seen else None


def fit_similarity(points: Points, template: Points) -> AffineMatrix | None:
    """The turn, zoom and shift, (2, 3), that bring points nearest to a template: least squares, as
    Umeyama (1991) without mirroring. None for points that are one, or no numbers."""
    given, wanted = points.astype(np.float64) @ [1, 1j], template @ [1, 1j]
    centred = given - given.mean()
    spread = float((np.abs(centred) ** 2).sum())
    if not MIN_SPREAD < spread < np.inf:
        return None
    turn = centred.conj() @ (wanted - wanted.mean()) / spread
    shift = wanted.mean() - turn * given.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def detect_dlib_points(rgb: Rgb, box: Box) -> Points:
    """dlib's five landmarks of the face in a box, (5, 2) pixels; there always are some."""
    return np.array([(point.x, point.y) for point in detect_landmarks5_in_box(rgb, box).parts()], np.float64)


def _landmarks_nearest_to(
    found: YunetFaces, back: AffineMatrix, middle: Points, reach: float
) -> Points | None:
    """Points, in the picture, of the face whose middle is nearest to the box's, and inside the box."""
    if not len(found.scores):
        return None
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 @ back[:, :2].T + back[:, 2]
    away = np.abs(middles - middle).max(axis=1)
    nearest = int(away.argmin())
    if away[nearest] > reach:
        return None
    points: Points = found.landmarks[nearest] @ back[:, :2].T + back[:, 2]
    return points


def _matrix_from_box(box: Box) -> AffineMatrix:
    """The box, or the pixel that it is, fills the chip."""
    zoom = 112 / max(box.width, box.height, 1.0)
    return np.array(
        [[zoom, 0, 56 - zoom * (box.xmin + box.xmax) / 2], [0, zoom, 56 - zoom * (box.ymin + box.ymax) / 2]]
    )


DLIB_CHIP_PX = 150
DLIB_CHIP_PADDING = 0.25
"""Room around the face in the chip, in parts of its size; what dlib's embedder was trained with."""

_loading = threading.Lock()


def load_landmark_predictor(name: str) -> Any:
    """The shape predictor of a catalogue entry, loaded once; may be called from several threads.

    Raises WeightsError if its file is missing.
    """
    # The cache alone would let two threads load the same 100 MB.
    with _loading:
        return _load_landmark_predictor(name)


def detect_landmarks5(image: Rgb, edges: Sequence[int]) -> Any:
    """Corners of the eyes and the base of the nose, of the face within edges: left, top, right,
    bottom in whole pixels, which may lie outside the image. `image` may also be grey, (H, W).

    Returns dlib's full_object_detection. Raises TypeError for edges that are no whole numbers, and
    RuntimeError for another kind of image.
    """
    return load_landmark_predictor("landmarks5")(image, dlib.rectangle(*edges))


def detect_landmarks68(image: Rgb, edges: Sequence[int]) -> Any:
    """Outlines of chin, brows, eyes, nose and mouth; otherwise as landmarks5.

    The weights were trained on photos that are licensed for non-commercial use only.
    """
    return load_landmark_predictor("landmarks68")(image, dlib.rectangle(*edges))


def detect_landmarks5_in_box(rgb: Rgb, box: Box) -> Any:
    """landmarks5 of the face in a detection's box."""
    return detect_landmarks5(rgb, (int(box.xmin), int(box.ymin), int(box.xmax), int(box.ymax)))


def cut_chip(rgb: Rgb, landmarks: Any, padding: float = DLIB_CHIP_PADDING) -> Rgb:
    """The face of either kind of landmarks, upright, shape (150, 150, 3)."""
    cut: Rgb = dlib.get_face_chip(rgb, landmarks, DLIB_CHIP_PX, padding)
    return cut


@functools.cache
def _load_landmark_predictor(name: str) -> Any:
    return dlib.shape_predictor(str(weights_path(name)))
