"""Acoustic features are librosa's."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from face_det.voices import compute_acoustics

RATE = 32000

LIBROSA = {
    "mfcc": (
        {(0, 5): -185.4602, (20, 40): -8.545415, (39, 93): -4.882744},
        {0: -160.858, 13: -5.10862, 39: 2.6181},
    ),
    "chroma": (
        {(0, 5): 0.6709194, (6, 40): 1.0, (11, 93): 1.0},
        {0: 0.486805, 4: 0.554973, 11: 0.570202},
    ),
    "mel": (
        {(0, 5): 0.0004938381, (64, 40): 0.04251887, (127, 93): 0.02914866},
        {0: 0.058363, 42: 0.628261, 127: 0.0134673},
    ),
    "contrast": (
        {(0, 5): 33.62615, (3, 40): 17.99316, (6, 93): 14.19039},
        {0: 19.4601, 2: 22.0006, 6: 13.6788},
    ),
    "tonnetz": (
        {(0, 5): -0.08247646, (3, 40): -0.0612013, (5, 93): 0.02450525},
        {0: 0.00250584, 2: 0.001873, 5: -0.00609707},
    ),
}
"""What librosa 0.11.0 computed of `make_sound(32000)`: values by row and frame, and the mean of rows."""


def make_sound(rate: int) -> npt.NDArray[np.float64]:
    """A second and a half of a rising hum with its overtones, and more and more noise; shape (n,)."""
    t = np.arange(round(1.5 * rate)) / rate
    noise = np.random.RandomState(9).standard_normal(len(t))
    hum = np.array([np.sin(2 * np.pi * n * (131 * t + 40 * t * t)) / n for n in range(1, 30)]).sum(axis=0)
    sound: npt.NDArray[np.float64] = 0.1 * hum * (1 + np.sin(2 * np.pi * 3 * t)) + 0.02 * noise * t
    return sound


@pytest.mark.parametrize("kind", LIBROSA)
def test_they_equal_what_librosa_computed(kind: str) -> None:
    """In single places, and on average over all frames."""
    found = getattr(compute_acoustics(make_sound(RATE), RATE), kind)
    places, means = LIBROSA[kind]
    assert {place: found[place] for place in places} == pytest.approx(places, rel=1e-5)
    assert {row: found[row].mean() for row in means} == pytest.approx(means, rel=1e-5)


@pytest.mark.filterwarnings("ignore:Trying to estimate tuning from empty")
@pytest.mark.parametrize("rate", [16000, 22050, 32000])
def test_they_equal_those_of_an_installed_librosa(rate: int) -> None:
    """Every value, of the hum and of silence, and of tones that are out of tune."""
    librosa = pytest.importorskip("librosa")
    whole = make_sound(rate)
    detuned = whole[::2].repeat(2)[: len(whole)] * np.sin(np.arange(len(whole)) / 9)
    for sound in (whole, detuned, np.zeros(rate // 4)):
        spectrum = np.abs(librosa.stft(sound))
        chroma = librosa.feature.chroma_stft(S=spectrum, sr=rate)
        expected = {
            "mfcc": librosa.feature.mfcc(y=sound, sr=rate, n_mfcc=40),
            "chroma": chroma,
            "mel": librosa.feature.melspectrogram(y=sound, sr=rate),
            "contrast": librosa.feature.spectral_contrast(S=spectrum, sr=rate),
            "tonnetz": librosa.feature.tonnetz(chroma=chroma),
        }
        found = compute_acoustics(sound, rate)
        for kind, values in expected.items():
            assert np.allclose(getattr(found, kind), values, rtol=1e-5, atol=1e-5), kind


def test_any_sound_has_numbers() -> None:
    """A single sample, silence and the loudest square wave."""
    for sound in (np.ones(1), np.zeros(5000), np.sign(np.sin(np.arange(9000)))):
        found = compute_acoustics(sound, RATE)
        assert found.mean().shape == (193,)
        assert all(np.isfinite(one).all() for one in dataclasses.astuple(found))
