"""Silero's voice activity detector: how likely is speech in each 32 ms of sound?"""

from __future__ import annotations

import numpy as np

from face_det.nets import catalogue
from face_det.nets.compute import DEFAULT_COMPUTE, Compute
from face_det.nets.network import Float32Array
from face_det.nets.sessions.session import Session

SPEECH_FRAME = 512
"""The samples of 16 kHz in a frame: 32 ms."""

_CONTEXT = 64
"""The network also sees so many samples of the frame before."""
_STATE = (1, 1, 128)

MAX_FRAMES = 512
"""The frames of one run, 16 s."""


class SpeechNetwork:
    """The detector, which may be called from several threads: what it remembers is in SpeechState."""

    def __init__(self, compute: Compute = DEFAULT_COMPUTE) -> None:
        """Load the network. Raises WeightsError if the package with its weights is not installed."""
        self._session = Session(catalogue.verify_weights("silero_vad").read_bytes(), compute)

    def detect(self, samples: Float32Array, state: SpeechState) -> Float32Array:
        """Return the probability of speech, 0..1, in each frame of 512 samples, shape (n * 512,) -> (n,).

        The samples follow those that `state` has seen; `state` is changed.
        """
        frames = np.ascontiguousarray(samples, np.float32).reshape(-1, SPEECH_FRAME)
        found = [np.empty(0, np.float32)]
        for start in range(0, len(frames), MAX_FRAMES):
            block = frames[start : start + MAX_FRAMES]
            before = np.vstack([state.context, block[:-1, -_CONTEXT:]])
            feeds = {"input": np.hstack([before, block]), "h": state.hidden, "c": state.cell}
            probabilities, state.hidden, state.cell = self._session.run(feeds)
            state.context = block[-1:, -_CONTEXT:]
            found.append(probabilities)
        return np.concatenate(found)


class SpeechState:
    """What the detector remembers of one recording; a new one for each."""

    def __init__(self) -> None:
        self.hidden = np.zeros(_STATE, np.float32)
        self.cell = np.zeros(_STATE, np.float32)
        self.context = np.zeros((1, _CONTEXT), np.float32)
