"""Acoustic features by which speakers and music were told apart before there were speaker networks.

Each is computed as librosa 0.11 does with its defaults, but in float64: a frame is 2,048 samples, windowed by
Hann's window, and one begins every 512 samples; the sound is padded with zeros, so that frames are centred.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.voices.tones import CHROMA, estimate_tuning, make_chroma_filters, tonal_centroids

Floats = npt.NDArray[np.float64]

FRAME, HOP = 2048, 512
"""Samples."""

MFCC, MEL, CONTRAST_BANDS = 40, 128, 6
FEATURES = MFCC + CHROMA + MEL + CONTRAST_BANDS + 1 + 6
"""The number of features in all, 193."""

_POWER_FLOOR = 1e-10
_RANGE_DB = 80.0
"""Nothing is taken to be more than this below the loudest."""

_LOWEST_BAND_HZ, _QUANTILE = 200.0, 0.02
"""Spectral contrast: the octaves begin here, and so much of each is its peak, and its valley."""


@dataclass(frozen=True, eq=False, slots=True)
class AcousticFeatures:
    """The features of n frames.

    `mfcc` has shape (40, n), `chroma` (12, n), `mel` (128, n), `contrast` (7, n) and `tonnetz` (6, n).
    """

    mfcc: Floats
    chroma: Floats
    mel: Floats
    contrast: Floats
    tonnetz: Floats

    def mean(self) -> Floats:
        """Return the mean of each feature over the frames, shape (193,)."""
        every = (self.mfcc, self.chroma, self.mel, self.contrast, self.tonnetz)
        return np.concatenate([one.mean(axis=1) for one in every])


def compute_acoustics(samples: npt.ArrayLike, rate: int) -> AcousticFeatures:
    """Return the features of sound, shape (n,), of `rate` hertz; n is one or more, the rate above 12,800.

    >>> found = compute_acoustics(np.sin(np.arange(32000) / 5), 32000)
    >>> found.mfcc.shape, found.mean().shape
    ((40, 63), (193,))
    """
    spectrum = _spectrum(np.asarray(samples, np.float64))
    mel = _mel_filters(rate) @ spectrum**2
    chroma = _chroma(spectrum, rate)
    return AcousticFeatures(_mfcc(mel), chroma, mel, _contrast(spectrum, rate), tonal_centroids(chroma))


def _spectrum(samples: Floats) -> Floats:
    """Return the magnitude of the spectrum of each frame, shape (1025, n)."""
    padded = np.pad(samples, FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    return np.ascontiguousarray(np.abs(np.fft.rfft(frames * window, axis=1)).T)


def _mfcc(mel: Floats) -> Floats:
    from scipy.fft import dct  # type: ignore[import-untyped]

    loudness = 10 * np.log10(np.maximum(mel, _POWER_FLOOR))
    loudness = np.maximum(loudness, loudness.max() - _RANGE_DB)
    coefficients: Floats = dct(loudness, axis=0, norm="ortho")[:MFCC]
    return coefficients


def _chroma(spectrum: Floats, rate: int) -> Floats:
    """Return how loud each of the twelve tones is, of any octave; 1 for the loudest of a frame."""
    tuning = estimate_tuning(spectrum, rate)
    chroma = make_chroma_filters(rate, FRAME, round(tuning, 2)) @ spectrum
    loudest = chroma.max(axis=0)
    return chroma / np.where(loudest < np.finfo(np.float64).tiny, 1.0, loudest)


def _contrast(spectrum: Floats, rate: int) -> Floats:
    """Return by how many decibels the peaks of each octave exceed its valleys, below 200 Hz first.

    D.-N. Jiang et al., Music type classification by spectral contrast feature, 2002.
    """
    hertz = np.fft.rfftfreq(FRAME, 1 / rate)
    edges = [0.0, *(_LOWEST_BAND_HZ * 2**octave for octave in range(CONTRAST_BANDS + 1))]
    peaks, valleys = [], []
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = np.flatnonzero((hertz >= low) & (hertz <= high))
        first = inside[0] - (number > 0)
        last = inside[-1] if number < CONTRAST_BANDS else len(hertz) - 1
        band = spectrum[first : last + (number == CONTRAST_BANDS)]
        part = max(1, int(np.rint(_QUANTILE * (last + 1 - first))))
        ordered = np.sort(band, axis=0)
        valleys.append(ordered[:part].mean(axis=0))
        peaks.append(ordered[-part:].mean(axis=0))
    return _decibels(np.array(peaks)) - _decibels(np.array(valleys))


def _decibels(power: Floats) -> Floats:
    """Return decibels, at most 80 below the loudest of all."""
    found = 10 * np.log10(np.maximum(power, _POWER_FLOOR))
    limited: Floats = np.maximum(found, found.max() - _RANGE_DB)
    return limited


@functools.lru_cache(maxsize=4)
def _mel_filters(rate: int) -> Floats:
    """Return the weights of the spectrum in each mel band, shape (128, 1025): triangles of equal area.

    The scale is that of M. Slaney's Auditory Toolbox (1998): linear to 1 kHz, logarithmic above.
    """
    hertz = np.fft.rfftfreq(FRAME, 1 / rate)
    edges = _mel_to_hertz(np.linspace(0, _hertz_to_mel(rate / 2), MEL + 2))
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (hertz - left) / (middle - left), (right - hertz) / (right - middle)
    triangles: Floats = np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)
    return triangles


_LINEAR_HZ, _LINEAR_MEL = 200 / 3, 15.0
"""Hertz for each mel up to 15 mel, which are 1 kHz; 27 more are a factor of 6.4."""
_STEP = np.log(6.4) / 27


def _hertz_to_mel(hertz: float) -> float:
    linear = hertz / _LINEAR_HZ
    return linear if linear < _LINEAR_MEL else float(_LINEAR_MEL + np.log(linear / _LINEAR_MEL) / _STEP)


def _mel_to_hertz(mel: Floats) -> Floats:
    above = _LINEAR_MEL * np.exp(_STEP * (np.maximum(mel, _LINEAR_MEL) - _LINEAR_MEL))
    hertz: Floats = _LINEAR_HZ * np.where(mel < _LINEAR_MEL, mel, above)
    return hertz
