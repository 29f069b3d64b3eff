"""SFace: aligned faces in, 128 numbers each out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from face_det.nets import model_cache
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.sessions.session import Session
from face_det.types import Encodings, Rgb

SFACE_BATCH = 2
"""Chips per run. With two, the last matrix, 26 MB, is read from memory for every other chip. With four, the
maps no longer fit the processor's cache, and each chip takes up to 15 % longer."""

SFACE_CHIP_PX = 112
SFACE_DIMENSIONS = 128


class Sface:
    """The network behind cv2.FaceRecognizerSF. `encode` may be called from several threads."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE) -> None:
        self._session = Session(model_cache.load_onnx_model("sface"), compute)

    @property
    def runtime(self) -> str:
        """The name of what runs the network."""
        return self._session.name

    def encode(self, chips: Sequence[Rgb]) -> Encodings:
        """Compute the encodings (n, 128), each of length 1, of chips of shape (112, 112, 3)."""
        return self.encode_with_norms(chips)[0]

    def encode_with_norms(self, chips: Sequence[Rgb]) -> tuple[Encodings, npt.NDArray[np.float64]]:
        """Compute the encodings as `encode` does, and their lengths before they were scaled, shape (n,)."""
        encodings = np.empty((len(chips), SFACE_DIMENSIONS))
        for start in range(0, len(chips), SFACE_BATCH):
            batch = np.stack(chips[start : start + SFACE_BATCH])
            (encodings[start : start + SFACE_BATCH],) = self._session.run({"chips": batch})
        norms: npt.NDArray[np.float64] = np.linalg.norm(encodings, axis=1)
        return encodings / norms[:, None], norms


def scale_to_unit_length(encodings: Encodings) -> Encodings:
    """Scale each row of `encodings`, shape (n, d), to length 1.

    >>> scale_to_unit_length(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    scaled: Encodings = encodings / np.linalg.norm(encodings, axis=1, keepdims=True)
    return scaled
