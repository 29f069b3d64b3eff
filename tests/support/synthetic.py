"""Encodings as dlib's lie: a person's photos some 0.4 apart, two people's some 0.8."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from face_det.gallery.gallery import Gallery
from face_det.types import UNKNOWN, Encodings

EVERYBODY = 1.2
PERSON = 0.5
PHOTO = 0.27


def _directions(rng: np.random.Generator, count: int) -> Encodings:
    drawn = rng.normal(size=(count, 128))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def photos(name: str, count: int, seed: int = 0) -> Encodings:
    """Photos of a person, shape (count, 128): the same name is the same person, whatever the seed.

    Each photo of Unknown is of somebody else.
    """
    everybody = EVERYBODY * _directions(np.random.default_rng(1), 1)
    rng = np.random.default_rng([seed, *name.encode()])
    if name == UNKNOWN:
        person = PERSON * _directions(rng, count)
    else:
        person = PERSON * _directions(np.random.default_rng(list(name.encode())), 1)
    return everybody + person + PHOTO * _directions(rng, count)


def gallery(counts: Mapping[str, int], seed: int = 0) -> Gallery:
    """A gallery with so many photos of each."""
    names = tuple(name for name, count in counts.items() for _ in range(count))
    return Gallery(np.vstack([photos(name, count, seed) for name, count in counts.items()]), names)


def numbered(counts: Mapping[str, int], seed: int = 0) -> tuple[Encodings, np.ndarray]:
    """(X, y) of the same, as a recipe gets it: people are numbers in the order of their names."""
    made = gallery(counts, seed)
    return made.encodings, np.array([made.people.index(name) for name in made.names])


def grey_faces(encodings: Encodings) -> Encodings:
    """Grey faces of 100 x 100 px for encodings, shape (n, 128): as far apart as these, times 7,500."""
    drawn = np.random.default_rng(2).normal(size=(128, 16, 16))
    smooth = np.array([cv2.resize(one, (100, 100), interpolation=cv2.INTER_CUBIC) for one in drawn])
    basis = np.linalg.qr(smooth.reshape(128, -1).T)[0].T
    everybody = EVERYBODY * _directions(np.random.default_rng(1), 1)
    return np.clip(np.rint(128 + 7500 * (encodings - everybody) @ basis), 0, 255)
