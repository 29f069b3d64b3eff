"""Kaldi's log mel filter banks, which CAM++ was trained on."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from face_det.nets import Float32Array

SAMPLE_RATE = 16000
"""Hertz. All sound in this room is mono and has this rate."""

FILTER_BANKS = 80

_FRAME, _HOP, _FFT = 400, 160, 512
"""Samples: 25 ms of sound, every 10 ms, of which a spectrum of 257 numbers is made."""
_LOWEST_HZ = 20.0
_PRE_EMPHASIS = 0.97
_FLOOR = float(np.finfo(np.float32).eps)
"""No energy is less than this, so that silence has a logarithm."""
_BLOCK = 3000
"""So many frames are computed at once, to bound the memory."""

_Floats = npt.NDArray[np.float64]


def compute_filter_banks(samples: Float32Array) -> Float32Array:
    """Return the filter banks of speech, shape (n,) of 16 kHz in -1..1 -> (frames, 80); n is 400 or more.

    Each column has the mean 0, so that the microphone and the loudness matter little. They equal those of
    Kaldi's compute-fbank-feats with 80 bins and without dither, less their mean.

    >>> banks = compute_filter_banks(np.sin(np.arange(16000, dtype=np.float32) / 5))
    >>> banks.shape, bool(abs(banks.mean(axis=0)).max() < 1e-4)
    ((98, 80), True)
    """
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float64), _FRAME)[::_HOP]
    banks = np.empty((len(frames), FILTER_BANKS))
    for start in range(0, len(frames), _BLOCK):
        banks[start : start + _BLOCK] = _log_energies(frames[start : start + _BLOCK])
    return np.asarray(banks - banks.mean(axis=0), np.float32)


def _log_energies(frames: _Floats) -> _Floats:
    centred = frames - frames.mean(axis=1, keepdims=True)
    # The first sample has none before it, and stands in for that itself.
    before = np.hstack([centred[:, :1], centred[:, :-1]])
    spectrum = np.abs(np.fft.rfft((centred - _PRE_EMPHASIS * before) * _window(), _FFT)) ** 2
    energies: _Floats = np.log(np.maximum(spectrum @ _triangles(), _FLOOR))
    return energies


@functools.cache
def _window() -> _Floats:
    """Return Povey's window, shape (400,): Hann's to the power of 0.85."""
    window: _Floats = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / (_FRAME - 1))) ** 0.85
    return window


@functools.cache
def _triangles() -> _Floats:
    """Return the weights of the spectrum in each bank, shape (257, 80): triangles on the mel scale."""
    edges = np.linspace(_mel(_LOWEST_HZ), _mel(SAMPLE_RATE / 2), FILTER_BANKS + 2)
    place = _mel(np.arange(_FFT // 2 + 1) * SAMPLE_RATE / _FFT)[:, None]
    left, middle, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (place - left) / (middle - left), (right - place) / (right - middle)
    triangles: _Floats = np.maximum(np.minimum(rising, falling), 0.0)
    return triangles


def _mel(hertz: npt.ArrayLike) -> _Floats:
    mel: _Floats = 1127.0 * np.log1p(np.asarray(hertz, np.float64) / 700.0)
    return mel
