"""CAM++: the filter banks of somebody's speech in, 192 numbers that tell who speaks out."""

from __future__ import annotations

import numpy as np

from face_det.nets import model_cache
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.network import Float32Array
from face_det.nets.sessions.session import Session
from face_det.types import Encodings


class SpeakerNetwork:
    """CAM++ of 3D-Speaker, trained on Chinese and English; `encode` may be called from several threads."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE) -> None:
        """Load the network. Raises WeightsError if the package with its weights is not installed."""
        self._session = Session(model_cache.load_onnx_model("campplus"), compute)

    @property
    def runtime(self) -> str:
        """The name of what runs the network."""
        return self._session.name

    def encode(self, features: Float32Array) -> Encodings:
        """Compute the encoding, shape (192,), of filter banks, shape (frames, 80) with 4 frames or more.

        Each of the 80 must have the mean 0 over the frames. The encoding's length tells nothing.
        """
        (encodings,) = self._session.run({"features": np.ascontiguousarray(features[None], np.float32)})
        encoding: Encodings = encodings[0].astype(np.float64)
        return encoding
