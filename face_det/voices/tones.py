"""Tones in sound: how an instrument is tuned, the twelve tones of every octave, and their centroids."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

CHROMA = 12
"""Tones in an octave, C first."""

_CONCERT_A_HZ = 440.0
_CENTRE_OCTAVE, _OCTAVES = 5.0, 2.0
"""Tones count by a bell around this octave, A0 being the first, so many octaves wide."""

_LOWEST_HZ, _HIGHEST_HZ = 150.0, 4000.0
_PEAK = 0.1
"""Peaks between these frequencies count that have more than this part of the loudest of their frame."""


def estimate_tuning(spectrum: _Floats, rate: int) -> float:
    """Return by which part of a semitone, -0.5..0.5 in steps of 0.01, the peaks are off those of A = 440 Hz.

    `spectrum` holds magnitudes, shape (bins, n). Silence is in tune. Peaks are placed between bins by a
    parabola (J. O. Smith, Spectral Audio Signal Processing, 2011); the louder half decides.
    """
    before, after = np.roll(spectrum, 1, axis=0), np.roll(spectrum, -1, axis=0)
    curve, slope = before + after - 2 * spectrum, (after - before) / 2
    curve[[0, -1]], slope[[0, -1]] = 0, 0
    inside = np.abs(slope) < np.abs(curve)
    shift = np.where(inside, -slope / np.where(inside, curve, 1), 0)
    loud = np.where(spectrum > _PEAK * spectrum.max(axis=0), spectrum, 0)
    peak = np.zeros(loud.shape, bool)
    peak[1:-1] = (loud[1:-1] > loud[:-2]) & (loud[1:-1] >= loud[2:])
    peak[-1] = loud[-1] > loud[-2]
    size = 2 * (len(spectrum) - 1)
    hertz = np.arange(len(spectrum)) * rate / size
    peak[(hertz < _LOWEST_HZ) | (hertz >= min(_HIGHEST_HZ, rate / 2))] = False
    places = np.nonzero(peak)
    if not len(places[0]):
        return 0.0
    height = spectrum[places] + 0.5 * np.gradient(spectrum, axis=0)[places] * shift[places]
    pitch = ((places[0] + shift[places]) * rate / size)[height >= np.median(height)]
    off = np.mod(CHROMA * np.log2(pitch / (_CONCERT_A_HZ / 16)), 1.0)
    counts, steps = np.histogram(np.where(off >= 0.5, off - 1, off), np.linspace(-0.5, 0.5, 101))
    return float(steps[np.argmax(counts)])


@functools.lru_cache(maxsize=128)
def make_chroma_filters(rate: int, size: int, tuning: float) -> _Floats:
    """Return the weights of a spectrum of `size` samples in each of twelve tones, shape (12, size / 2 + 1).

    D. Ellis, Chroma feature analysis and synthesis, 2007: a Gaussian around each tone of every octave.
    """
    concert_a = _CONCERT_A_HZ * 2 ** (tuning / CHROMA)
    tone = CHROMA * np.log2(np.arange(1, size) * rate / size / (concert_a / 16))
    # The constant part is no tone: it is put one and a half octaves below the first.
    tone = np.concatenate([[tone[0] - 1.5 * CHROMA], tone])
    width = np.concatenate([np.maximum(np.diff(tone), 1.0), [1.0]])
    away = tone - np.arange(CHROMA)[:, None]
    away = np.remainder(away + CHROMA / 2 + 10 * CHROMA, CHROMA) - CHROMA / 2
    weights = np.exp(-0.5 * (2 * away / width) ** 2)
    weights /= np.sqrt(np.sum(weights**2, axis=0))
    weights *= np.exp(-0.5 * ((tone / CHROMA - _CENTRE_OCTAVE) / _OCTAVES) ** 2)
    # The first tone so far is A; C is three later.
    return np.ascontiguousarray(np.roll(weights, -3, axis=0)[:, : size // 2 + 1])


def tonal_centroids(chroma: _Floats) -> _Floats:
    """Return the tonnetz of tones, shape (12, n) -> (6, n): places on circles of fifths and of both thirds.

    C. Harte et al., Detecting harmonic change in musical audio, 2006.
    """
    circles = np.repeat([7 / 6, 3 / 2, 2 / 3], 2)[:, None] * np.arange(float(CHROMA))
    circles[::2] -= 0.5
    radii = np.repeat([1.0, 1.0, 0.5], 2)[:, None]
    total = np.sum(np.abs(chroma), axis=0)
    centroids: _Floats = radii * np.cos(np.pi * circles) @ (chroma / np.where(total > 0, total, 1.0))
    return centroids
