"""SFace: aligned faces in, 128 numbers each out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face_det.nets import model_cache
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.sessions.session import Session
from face_det.types import Encodings, Rgb

SFACE_BATCH = 4
"""Chips at once: from 8 on the maps leave the processor's cache, and each chip takes a tenth longer."""

SFACE_CHIP_PX = 112
SFACE_DIMENSIONS = 128


class Sface:
    """The network behind cv2.FaceRecognizerSF; `encode` may be called from several threads."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE) -> None:
        self._session = Session(model_cache.load_onnx_model("sface"), compute)

    @property
    def runtime(self) -> str:
        """What runs it."""
        return self._session.name

    def encode(self, chips: Sequence[Rgb]) -> Encodings:
        """Encodings (n, 128) of length 1, of chips of shape (112, 112, 3)."""
        encodings = np.empty((len(chips), SFACE_DIMENSIONS))
        for start in range(0, len(chips), SFACE_BATCH):
            batch = np.stack(chips[start : start + SFACE_BATCH])
            (encodings[start : start + SFACE_BATCH],) = self._session.run({"chips": batch})
        return scale_to_unit_length(encodings)


def scale_to_unit_length(encodings: Encodings) -> Encodings:
    """The same directions, of length 1."""
    scaled: Encodings = encodings / np.linalg.norm(encodings, axis=1, keepdims=True)
    return scaled
