"""Filter banks are Kaldi's."""

from __future__ import annotations

import numpy as np

from face_det.voices import compute_filter_banks

KALDI = {
    (0, 0): -5.0616,
    (0, 1): -5.3836,
    (0, 40): -3.9331,
    (0, 79): -5.4695,
    (20, 0): 1.1488,
    (20, 1): 0.7542,
    (20, 40): 0.2236,
    (20, 79): -0.6804,
    (47, 0): 3.0938,
    (47, 1): 2.345,
    (47, 40): 1.3137,
    (47, 79): 2.0516,
}
"""Frame and bank: what kaldi-native-fbank 1.22.4 computed, less the mean of the bank."""


def test_they_equal_those_of_kaldi() -> None:
    """Rising noise, so that window, pre-emphasis and every triangle count."""
    noise = np.random.RandomState(5).standard_normal(8000) * np.linspace(0.001, 0.3, 8000)
    banks = compute_filter_banks(noise.astype(np.float32))
    assert banks.shape == (48, 80)
    assert {place: round(float(banks[place]), 4) for place in KALDI} == {
        place: round(value, 4) for place, value in KALDI.items()
    }


def test_loudness_does_not_matter_and_silence_is_no_error() -> None:
    """The mean is taken away; digital silence has the same number everywhere."""
    noise = np.random.RandomState(5).standard_normal(4000).astype(np.float32)
    assert np.allclose(compute_filter_banks(noise), compute_filter_banks(noise / 8), atol=1e-3)
    assert np.abs(compute_filter_banks(np.zeros(4000, np.float32))).max() < 1e-9
