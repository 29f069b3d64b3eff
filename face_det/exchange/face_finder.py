"""Finds the face in an enrolled photo, for formats that keep faces without what is around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from face_det.engine import FaceEngine
from face_det.errors import NoFace
from face_det.gallery import choose_dataset_face
from face_det.media import crop_box, load_image
from face_det.types import Rgb

MARGIN = 0.5
"""The margin that is drawn around a cut-out face, as a share of its size: detectors want some."""


class FaceFinder:
    """Cuts faces out of photos; the networks are loaded for the first one."""

    def __init__(self, build: Callable[[], FaceEngine]) -> None:
        """`build` builds the engine."""
        self._build = build
        self._engine: FaceEngine | None = None

    def cut_out(self, photo: Path) -> Rgb:
        """Return the face of a photo, within its box, shape (H, W, 3). Raises BadImage or NoFace."""
        if self._engine is None:
            engine = self._build()
            self._engine = engine.with_options(replace(engine.options, focus_threshold=0.0))
        rgb = load_image(photo)
        (faces,) = self._engine.faces([(rgb, None)])
        face = choose_dataset_face(faces, rgb.shape[1], rgb.shape[0])
        part = None if face is None else crop_box(rgb, face.box)
        if part is None:
            raise NoFace(f"{photo}: must show one clear face, got {len(faces)}")
        return np.ascontiguousarray(part)


def add_margin(rgb: Rgb) -> Rgb:
    """Return a cut-out face with its border colours around it.

    >>> add_margin(np.zeros((10, 20, 3), np.uint8)).shape
    (20, 40, 3)
    """
    height, width = (round(side * MARGIN) for side in rgb.shape[:2])
    padded: Rgb = np.pad(rgb, ((height, height), (width, width), (0, 0)), mode="edge")
    return padded
