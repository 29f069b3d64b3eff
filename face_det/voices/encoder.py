"""Turns speech into encodings: CAM++, after the loudness has been normalised."""

from __future__ import annotations

import numpy as np

from face_det.embedders import CAMPPLUS, count_dimensions
from face_det.nets import DEFAULT_COMPUTE, WEIGHTS_CATALOGUE, Compute, Float32Array, SpeakerNetwork
from face_det.types import Encodings
from face_det.voices.filter_banks import compute_filter_banks

LOUDNESS = 0.05
"""The root mean square of speech after normalisation: -26 dB of the loudest that a file can hold."""

MIN_SAMPLES = 1600
"""A tenth of a second; less cannot be encoded."""


class VoiceEncoder:
    """Encodes speech of any length; may be called from several threads.

    The fingerprint is the same for every runtime and precision; its last part names the filter banks.
    """

    name = CAMPPLUS
    dimensions = count_dimensions(CAMPPLUS)

    def __init__(self, compute: Compute = DEFAULT_COMPUTE) -> None:
        """Load the network. Raises WeightsError if the package with its weights is not installed."""
        self.fingerprint = f"{self.name}:{WEIGHTS_CATALOGUE[self.name].sha256[:12]}:kaldi80"
        self._network = SpeakerNetwork(compute)
        self.runtime = self._network.runtime

    def encode(self, samples: Float32Array) -> Encodings:
        """Return the encoding, shape (192,) and length 1, of speech, shape (n,) of 16 kHz.

        Speech shorter than MIN_SAMPLES is repeated; it says next to nothing about who speaks.
        """
        if len(samples) < MIN_SAMPLES:
            samples = np.resize(samples, MIN_SAMPLES)
        level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
        encoding = self._network.encode(
            compute_filter_banks(samples * np.float32(LOUDNESS / max(level, 1e-6)))
        )
        unit: Encodings = encoding / max(float(np.linalg.norm(encoding)), 1e-12)
        return unit
