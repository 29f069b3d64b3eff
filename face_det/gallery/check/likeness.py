"""How likely it is that photos at some distance show one person: the odds that checks are made of.

A photo is compared with a person by the median of its distances to that person's photos. Such
medians of one's own photos, and of other people's, are each taken for normally distributed, with
middle and width measured on Labeled Faces in the Wild and adapted to the dataset at hand by medians,
which a few misplaced photos do not move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.embedders import DistanceSpread, ExpectedDistances
from face_det.types import Encodings

Floats = npt.NDArray[np.float64]

FEW_DISTANCES = 3
"""A median of fewer distances than this is less certain ..."""
FEW_WIDENING = 1.15
"""... by this much: on LFW the distances of two photos spread 1.08 (dlib_resnet), 1.17 (sface) and
1.11 times (both) as wide as the medians of four."""
_GIVEN_SAME, _GIVEN_OTHER = 30, 100
"""For how many measured distances the expected middle and width stand."""
_MAD = 1.4826
"""Median absolute deviation -> standard deviation, of a normal distribution."""


@dataclass(frozen=True, slots=True)
class LikelihoodModel:
    """What a distance says. `fitted` makes one from a dataset."""

    same: DistanceSpread
    other: DistanceSpread

    def log_ratio(self, distances: Floats, counts: npt.ArrayLike) -> Floats:
        """log(density if it is that person / density if it is another), of medians of `counts` distances.

        Beyond the two middles it stays what it is there: nobody is the less himself for being near.
        """
        same_width = np.where(
            np.asarray(counts) < FEW_DISTANCES, FEW_WIDENING * self.same.width, self.same.width
        )
        other_width = self.other.width
        held = np.clip(distances, self.same.middle, self.other.middle)
        same = ((held - self.same.middle) / same_width) ** 2
        other = ((held - self.other.middle) / other_width) ** 2
        ratio = np.log(other_width / same_width) + (other - same) / 2
        return np.asarray(np.where(np.isnan(distances), 0.0, ratio))


def fit_likelihood(own: Floats, others: Floats, expected: ExpectedDistances) -> LikelihoodModel:
    """The likeness of a dataset, from distances of its photos to their own person and to others; NaN: none.

    One's own photos are never expected nearer than on LFW: a dataset of frames of one afternoon must
    not make a stranger of the person in the next morning's light.
    """
    same = _shrink_towards(own, expected.same, _GIVEN_SAME)
    other = _shrink_towards(others, expected.other, _GIVEN_OTHER)
    same = DistanceSpread(max(same.middle, expected.same.middle), max(same.width, expected.same.width))
    # However alike everybody is, the two must not change places, nor a hair's breadth decide.
    middle = max(other.middle, same.middle + 2 * same.width)
    return LikelihoodModel(same, DistanceSpread(middle, max(other.width, expected.other.width / 2)))


def _shrink_towards(values: Floats, expected: DistanceSpread, given: int) -> DistanceSpread:
    values = values[~np.isnan(values)]
    if not values.size:
        return expected
    middle = float(np.median(values))
    width = _MAD * float(np.median(np.abs(values - middle)))
    share = values.size / (values.size + given)
    variance = share * width**2 + (1 - share) * expected.width**2
    return DistanceSpread(share * middle + (1 - share) * expected.middle, float(np.sqrt(variance)))


def pairwise_distances(rows: Encodings, columns: Encodings) -> Floats:
    """Euclidean distances, shape (len(rows), len(columns))."""
    squares = (rows**2).sum(axis=1)[:, np.newaxis] + (columns**2).sum(axis=1) - 2 * rows @ columns.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def median_distances(encodings: Encodings, members: npt.NDArray[np.intp]) -> Floats:
    """The median distance of each photo to the members of one person, itself left out; NaN for none."""
    found = np.full(len(encodings), np.nan)
    if not members.size:
        return found
    away = pairwise_distances(encodings, encodings[members])
    found[:] = np.median(away, axis=1)
    for column, member in enumerate(members):
        rest = np.delete(away[member], column)
        found[member] = np.median(rest) if rest.size else np.nan
    return found
