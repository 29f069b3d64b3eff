"""Turns sound of any rate into another, block by block, with the same result as all at once."""

from __future__ import annotations

import math

import numpy as np

from face_det.nets import Float32Array
from face_det.voices.filter_banks import SAMPLE_RATE

_ZEROS = 10
"""The filter spans so many periods of the lower rate to either side, as scipy's default does."""


class Resampler:
    """Resamples mono sound of `rate` hertz to `target`. Push blocks, and finish once after the last.

    >>> resampler = Resampler(8000)
    >>> blocks = [resampler.push(np.ones(800, np.float32)), resampler.finish()]
    >>> sum(map(len, blocks))
    1600
    """

    def __init__(self, rate: int, target: int = SAMPLE_RATE) -> None:
        common = math.gcd(rate, target)
        self._up, self._down = target // common, rate // common
        half = _ZEROS * max(self._up, self._down)
        # So many samples on either side count for a sample; whole periods, so that blocks begin on one.
        self._margin = math.ceil((half // self._up + 1) / self._down) * self._down
        self._kept = np.zeros(0, np.float32)
        self._before = 0
        """The samples at the start of `kept` whose own results have been returned."""

    def push(self, samples: Float32Array) -> Float32Array:
        """Take the next samples, shape (n,), and return what is certain by now of the result, shape (m,)."""
        if self._up == self._down:
            return samples
        self._kept = np.concatenate([self._kept, samples])
        ready = (len(self._kept) - self._margin) // self._down * self._down
        if ready <= self._before:
            return np.zeros(0, np.float32)
        result = self._resample(self._kept[: ready + self._margin])[: ready * self._up // self._down]
        result = result[self._before * self._up // self._down :]
        drop = max(0, ready - self._margin)
        self._kept, self._before = self._kept[drop:], ready - drop
        return result

    def finish(self) -> Float32Array:
        """Return the rest."""
        if self._up == self._down or not len(self._kept):
            return np.zeros(0, np.float32)
        result = self._resample(self._kept)[self._before * self._up // self._down :]
        self._kept, self._before = np.zeros(0, np.float32), 0
        return result

    def _resample(self, samples: Float32Array) -> Float32Array:
        # Only here: scipy.signal takes half a second to import, and most recordings have 16 kHz.
        from scipy.signal import resample_poly  # type: ignore[import-untyped]

        resampled: Float32Array = resample_poly(samples, self._up, self._down).astype(np.float32, copy=False)
        return resampled
