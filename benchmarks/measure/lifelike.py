"""Draws random encodings distributed like dlib's encodings of a camera's faces, so no photos are needed.

The figures are those of dlib's encodings of Labeled Faces in the Wild. All faces lie around a point 1.3 from
the origin. Two people are 0.83 +- 0.09 apart, two photos of one person 0.45 +- 0.08. Half of the variance
between people lies in 12 directions, half of the variance within a person in 20.
A camera adds several nearly equal frames of each visit, blurred frames, in which all people look alike, and a
few wrong names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DIMENSIONS = 128
EVERYBODY = 1.3
BETWEEN, BETWEEN_HALF = 0.24, 12
"""Variance between people, summed over all directions, and the number of directions that hold half of it."""
WITHIN, WITHIN_HALF = 0.1, 20

Encodings = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Visits:
    """A camera's view: the mean number of `frames` of a visit, and the shares of imperfect frames."""

    frames: int = 4
    alike: float = 0.2
    """The share of the variance within a person that lies between frames of one visit."""
    blurred: float = 0.8
    wrong_names: float = 0.06


def _spread(rng: np.random.Generator, total: float, half: int) -> Encodings:
    """Return a (d, d) matrix that maps standard normal rows to offsets with that total variance."""
    scale = 0.5 ** (np.arange(DIMENSIONS) / half)
    scale *= total / scale.sum()
    basis = np.linalg.qr(rng.normal(size=(DIMENSIONS, DIMENSIONS)))[0]
    return np.sqrt(scale)[:, None] * basis


class Faces:
    """A random population of faces; the same seed draws the same population."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        towards = self.rng.normal(size=DIMENSIONS)
        self.everybody = EVERYBODY * towards / np.linalg.norm(towards)
        self.between = _spread(self.rng, BETWEEN, BETWEEN_HALF)
        self.within = _spread(self.rng, WITHIN, WITHIN_HALF)

    def people(self, count: int) -> Encodings:
        """Draw the centres of `count` people, shape (count, 128)."""
        return self.everybody + self.rng.normal(size=(count, DIMENSIONS)) @ self.between

    def photos(self, middles: Encodings) -> Encodings:
        """Draw one photo of each person, each taken on a different day; same shape as `middles`."""
        return middles + self.rng.normal(size=middles.shape) @ self.within

    def frames(self, middles: Encodings, visits: Visits = Visits()) -> Encodings:
        """Draw one frame for each row; consecutive rows of one person may belong to one visit."""
        count = len(middles)
        begins = np.r_[True, np.any(middles[1:] != middles[:-1], axis=1)] | (
            self.rng.random(count) < 1 / visits.frames
        )
        visit = np.cumsum(begins) - 1
        of_visit = self.rng.normal(size=(visit[-1] + 1, DIMENSIONS)) @ self.within
        of_frame = self.rng.normal(size=middles.shape) @ self.within
        seen = middles + np.sqrt(1 - visits.alike) * of_visit[visit] + np.sqrt(visits.alike) * of_frame
        blur = self.rng.beta(1, 2, size=(count, 1)) * (self.rng.random((count, 1)) < visits.blurred)
        nobody = self.everybody + of_frame
        return (1 - blur) * seen + blur * nobody


def household(
    counts: list[int], seed: int = 1, visits: Visits = Visits()
) -> tuple[Encodings, npt.NDArray[np.int64]]:
    """Return (X, y) of a household's camera, with `counts` frames of each person.

    The last person is Unknown, a new stranger at each visit.
    """
    faces = Faces(seed)
    middles = np.repeat(faces.people(len(counts) - 1), counts[:-1], axis=0)
    strangers = np.repeat(faces.people(-(-counts[-1] // visits.frames)), visits.frames, axis=0)[: counts[-1]]
    X = faces.frames(np.vstack([middles, strangers]), visits)
    y = np.repeat(np.arange(len(counts)), counts)
    wrong = faces.rng.random(len(y)) < visits.wrong_names
    y[wrong] = faces.rng.integers(0, len(counts), wrong.sum())
    return X, y
