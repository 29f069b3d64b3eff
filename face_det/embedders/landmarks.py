"""dlib's landmarks, and the face cut out and turned upright by them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any

import dlib

from face_det.faces import Box, Rgb
from face_det.nets.catalogue import weights_path

CHIP_PX = 150
PADDING = 0.25
"""Room around the face in the chip, in parts of its size; what dlib's embedder was trained with."""

_loading = threading.Lock()


def predictor(name: str) -> Any:
    """The shape predictor of a catalogue entry, loaded once; may be called from several threads.

    Raises WeightsError if its file is missing.
    """
    # The cache alone would let two threads load the same 100 MB.
    with _loading:
        return _predictor(name)


def landmarks5(image: Rgb, edges: Sequence[int]) -> Any:
    """Corners of the eyes and the base of the nose, of the face within edges: left, top, right,
    bottom in whole pixels, which may lie outside the image. `image` may also be grey, (H, W).

    Returns dlib's full_object_detection. Raises TypeError for edges that are no whole numbers, and
    RuntimeError for another kind of image.
    """
    return predictor("landmarks5")(image, dlib.rectangle(*edges))


def landmarks68(image: Rgb, edges: Sequence[int]) -> Any:
    """Outlines of chin, brows, eyes, nose and mouth; otherwise as landmarks5.

    The weights were trained on photos that are licensed for non-commercial use only.
    """
    return predictor("landmarks68")(image, dlib.rectangle(*edges))


def found5(rgb: Rgb, box: Box) -> Any:
    """landmarks5 of the face in a detection's box."""
    return landmarks5(rgb, (int(box.xmin), int(box.ymin), int(box.xmax), int(box.ymax)))


def chip(rgb: Rgb, landmarks: Any, padding: float = PADDING) -> Rgb:
    """The face of either kind of landmarks, upright, shape (150, 150, 3)."""
    cut: Rgb = dlib.get_face_chip(rgb, landmarks, CHIP_PX, padding)
    return cut


@functools.cache
def _predictor(name: str) -> Any:
    return dlib.shape_predictor(str(weights_path(name)))
