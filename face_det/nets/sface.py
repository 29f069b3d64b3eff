"""SFace: aligned faces in, 128 numbers each out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face_det.compute import PLAIN, Compute
from face_det.faces import Encodings, Rgb
from face_det.nets import graph_cache
from face_det.nets.runtime import Session

BATCH = 4
"""Chips at once: from 8 on the maps leave the processor's cache, and each chip takes a tenth longer."""

CHIP_PX = 112
DIMENSIONS = 128


class Sface:
    """The network behind cv2.FaceRecognizerSF; `encode` may be called from several threads."""

    def __init__(self, compute: Compute = PLAIN) -> None:
        self._session = Session(graph_cache.load("sface"), compute)

    @property
    def runtime(self) -> str:
        """What runs it."""
        return self._session.name

    def encode(self, chips: Sequence[Rgb]) -> Encodings:
        """Encodings (n, 128) of length 1, of chips of shape (112, 112, 3)."""
        encodings = np.empty((len(chips), DIMENSIONS))
        for start in range(0, len(chips), BATCH):
            batch = np.stack(chips[start : start + BATCH])
            (encodings[start : start + BATCH],) = self._session.run({"chips": batch})
        return unit(encodings)


def unit(encodings: Encodings) -> Encodings:
    """The same directions, of length 1."""
    scaled: Encodings = encodings / np.linalg.norm(encodings, axis=1, keepdims=True)
    return scaled
