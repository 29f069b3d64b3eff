"""Puts the acoustic features and their network beside the embedding, on the same recordings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from face_det.classifiers import FeedForward, fit_feed_forward
from face_det.errors import SoundError
from face_det.evaluation import Predictions
from face_det.nets import Float32Array
from face_det.types import UNKNOWN
from face_det.voices.acoustic_speakers import ACOUSTIC_RATE, acoustic_samples
from face_det.voices.filter_banks import SAMPLE_RATE
from face_det.voices.resampling import Resampler
from face_det.voices.sound import read_sound

Said = tuple[str, float]
"""The name that the network gives, and its probability, 0..1."""


def train_on_enrolled(enrolled: Iterable[tuple[str, Path]]) -> FeedForward:
    """Train on the enrolled recordings of people, of which the last of each validates; it has no strangers.

    Raises TooFewPeople unless there are two people or more with two recordings or more.
    """
    recordings: dict[str, list[list[npt.NDArray[np.float64]]]] = {}
    for name, path in enrolled:
        if name == UNKNOWN:
            continue
        try:
            found = [one for _, _, one in acoustic_samples(read_sound(path, ACOUSTIC_RATE))]
        except SoundError:
            continue
        recordings.setdefault(name, []).append(found)
    rows: tuple[list[npt.NDArray[np.float64]], ...] = ([], [])
    names: tuple[list[str], ...] = ([], [])
    for name, of_them in recordings.items():
        for number, samples in enumerate(of_them):
            validates = 0 < number == len(of_them) - 1
            rows[validates].extend(samples)
            names[validates].extend([name] * len(samples))
    return fit_feed_forward(rows[0], names[0], rows[1], names[1])


def say_who(network: FeedForward, sound: Float32Array) -> Said | None:
    """Return who is said to speak in sound, shape (n,) of 16 kHz: by seven seconds, then on average."""
    resampler = Resampler(SAMPLE_RATE, ACOUSTIC_RATE)
    samples = [one for _, _, one in acoustic_samples([resampler.push(sound), resampler.finish()])]
    if not samples:
        return None
    shares = network.probabilities(samples).mean(axis=0)
    return network.names[int(shares.argmax())], float(shares.max())


def as_predictions(said: Sequence[Said]) -> Predictions:
    """Return predictions for the evaluation: everybody is named."""
    shares = np.array([share for _, share in said], np.float64)
    names = tuple(name for name, _ in said)
    every = np.ones(len(said), np.bool_)
    return Predictions(names, shares, every, ~every, shares, shares, names)
