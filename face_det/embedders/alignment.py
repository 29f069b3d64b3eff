"""Aligns faces by five landmarks, and cuts out dlib's upright chips.

The landmarks come from the detector if it gives any, else from YuNet, else from dlib.
"""

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

DLIB_CHIP_PX = 150
DLIB_CHIP_PADDING = 0.25
"""The margin around the face in the chip, relative to its size; dlib's embedder was trained with it."""

ARCFACE_CHIP_PX = 112

ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where the eyes, the tip of the nose and the corners of the mouth belong in a chip of 112 px: the template
that ArcFace and most networks since were trained with (Deng et al., 2019; OpenCV's numbers)."""

DLIB_TEMPLATE = np.array([[79.6, 52.9], [65.9, 53.6], [31.3, 53.2], [45.0, 53.7], [55.5, 80.4]])
"""The template for dlib's five landmarks: corners of the eyes from right to left, base of the nose; means
over LFW."""

MIN_YUNET_SCORE = 0.3
"""YuNet's minimum score where a detector has already found a face."""

CROP_SIDE_PX = 160
CROPS = ((0.45, -1, -1), (0.65, 1, 1), (0.85, -1, 1), (1.1, 1, -1))
"""Margin around the box relative to its side, and the direction in which the crop is shifted, by CROP_SHIFT.

YuNet's landmarks move by a tenth of the distance between the eyes with each pixel by which the face is
shifted or scaled. Medians over several crops are steadier. Of pairs of photos of one person in LFW, at one
false match in 100,000, four crops recognise 95.7 %, eight crops 95.6 %, and the landmarks from the whole
image 93.7 %.
"""

CROP_SHIFT = 0.035

MIN_SPREAD = 1e-3
"""Least spread of points around their mean, in squared pixels; below that they are a single point."""


_loading = threading.Lock()


def load_landmark_predictor(name: str) -> Any:
    """Load the shape predictor of a catalogue entry, once; several threads may call it.

    Raises WeightsError if its file is missing.
    """
    # With the cache alone, two threads might load the same 100 MB.
    with _loading:
        return _load_landmark_predictor(name)


@functools.cache
def _load_landmark_predictor(name: str) -> Any:
    return dlib.shape_predictor(str(weights_path(name)))


def detect_landmarks5(image: Rgb, edges: Sequence[int]) -> Any:
    """Find the corners of the eyes and the base of the nose of the face within `edges`.

    `edges` are left, top, right, bottom in whole pixels and may lie outside the image, which may also be
    grey, (H, W). Returns dlib's full_object_detection. Raises TypeError for edges that are not whole numbers,
    and RuntimeError for another kind of image.
    """
    return load_landmark_predictor("landmarks5")(image, dlib.rectangle(*edges))


def detect_landmarks68(image: Rgb, edges: Sequence[int]) -> Any:
    """Find the outlines of chin, eyebrows, eyes, nose and mouth; otherwise like `detect_landmarks5`.

    The weights were trained on photos that are licensed for non-commercial use only.
    """
    return load_landmark_predictor("landmarks68")(image, dlib.rectangle(*edges))


def detect_landmarks5_in_box(rgb: Rgb, box: Box) -> Any:
    """Find dlib's five landmarks of the face in a detection's box."""
    return detect_landmarks5(rgb, (int(box.xmin), int(box.ymin), int(box.xmax), int(box.ymax)))


def cut_chip(rgb: Rgb, landmarks: Any, padding: float = DLIB_CHIP_PADDING) -> Rgb:
    """Cut out the face with either kind of landmarks, upright, shape (150, 150, 3)."""
    cut: Rgb = dlib.get_face_chip(rgb, landmarks, DLIB_CHIP_PX, padding)
    return cut


class FaceAligner:
    """Finds the alignment of faces; may be called from several threads."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE) -> None:
        # Loaded now, so that missing weights are reported at the start.
        load_landmark_predictor("landmarks5")
        self._network = Yunet(compute)
        self.runtime = self._network.runtime

    def find_transform(self, rgb: Rgb, detection: Detection) -> AffineMatrix:
        """Return the transform (2, 3) from pixels of the image to pixels of a chip of 112 px, for any box."""
        if detection.landmarks is not None:
            found = fit_similarity(detection.landmarks, ARCFACE_TEMPLATE)
            if found is not None:
                return found
        points = self.find_landmarks(rgb, detection.box)
        found = fit_similarity(points, ARCFACE_TEMPLATE) if points is not None else None
        if found is None:
            found = fit_similarity(detect_dlib_points(rgb, detection.box), DLIB_TEMPLATE)
        return found if found is not None else _matrix_from_box(detection.box)

    def find_landmarks(self, rgb: Rgb, box: Box) -> Points | None:
        """Find YuNet's five landmarks of the face in a box, (5, 2) pixels; None if it sees no face there."""
        side = max(box.width, box.height, 1.0)
        middle = np.array([box.xmin + box.xmax, box.ymin + box.ymax]) / 2
        crops = []
        for margin, across, down in CROPS:
            width = side * (1 + 2 * margin)
            left, top = middle - width / 2 + CROP_SHIFT * side * np.array([across, down])
            crops.append(cut_square(rgb, left, top, width, CROP_SIDE_PX))
        found = self._network.faces([crop for crop, _ in crops], MIN_YUNET_SCORE)
        located = []
        for faces, (_, back) in zip(found, crops, strict=True):
            points = _landmarks_nearest_to(faces, back, middle, side / 2)
            if points is not None:
                located.append(points)
        return np.median(located, axis=0) if located else None


def fit_similarity(points: Points, template: Points) -> AffineMatrix | None:
    """Fit the rotation, scale and shift, (2, 3), that bring points (n, 2) closest to a template.

    Least squares without mirroring, as in Umeyama (1991). Returns None for points that coincide or are not
    finite.

    >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> fit_similarity(corners, 2 * corners + 10).round(6) + 0.0
    array([[ 2.,  0., 10.],
           [ 0.,  2., 10.]])
    >>> fit_similarity(corners * 0, corners) is None
    True
    """
    given, wanted = points.astype(np.float64) @ [1, 1j], template @ [1, 1j]
    centred = given - given.mean()
    spread = float((np.abs(centred) ** 2).sum())
    if not MIN_SPREAD < spread < np.inf:
        return None
    turn = centred.conj() @ (wanted - wanted.mean()) / spread
    shift = wanted.mean() - turn * given.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def detect_dlib_points(rgb: Rgb, box: Box) -> Points:
    """Find dlib's five landmarks of the face in a box, (5, 2) pixels; dlib always finds some."""
    return np.array([(point.x, point.y) for point in detect_landmarks5_in_box(rgb, box).parts()], np.float64)


def _landmarks_nearest_to(
    found: YunetFaces, back: AffineMatrix, middle: Points, reach: float
) -> Points | None:
    """Return the landmarks, in the image, of the face whose centre is nearest to the box's and inside it."""
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
    """Return the transform that makes the box, or the single pixel that it is, fill the chip."""
    zoom = ARCFACE_CHIP_PX / max(box.width, box.height, 1.0)
    middle = ARCFACE_CHIP_PX / 2
    across, down = (box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2
    return np.array([[zoom, 0, middle - zoom * across], [0, zoom, middle - zoom * down]])
