"""Likelihood ratios for distances: how likely a photo is to show a person, given how near it is.

A photo is compared with a person by the median of its distances to that person's photos. These medians
are modelled by two normal distributions, one for the right person and one for others. Their means and
widths were measured on Labeled Faces in the Wild, and are adapted to the dataset by medians, which a few
misplaced photos do not move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from face_det.embedders import DistanceSpread, ExpectedDistances
from face_det.types import Encodings

Floats = npt.NDArray[np.float64]

FEW_DISTANCES = 3
"""A median of fewer distances than this is less certain, ..."""
FEW_WIDENING = 1.15
"""... and spreads this much wider. On Labeled Faces in the Wild, distances between two photos spread 1.08
(dlib_resnet), 1.17 (sface) and 1.11 times (both) as wide as medians of four."""
_GIVEN_SAME, _GIVEN_OTHER = 30, 100
"""The number of measured distances that the expected distribution counts as: own, and others."""
_MAD = 1.4826
"""The ratio of standard deviation to median absolute deviation in a normal distribution."""


@dataclass(frozen=True, slots=True)
class LikelihoodModel:
    """The distributions of distances to the right person and to others, from `fit_likelihood`."""

    same: DistanceSpread
    other: DistanceSpread

    def log_ratio(self, distances: Floats, counts: npt.ArrayLike) -> Floats:
        """Return the log of (density if it is that person / density if it is another).

        `distances` are medians of `counts` distances each; 0.0 for NaN. Beyond the two means the ratio
        stays constant, because a nearer photo must never be less likely.
        """
        same_width = np.where(
            np.asarray(counts) < FEW_DISTANCES, FEW_WIDENING * self.same.width, self.same.width
        )
        other_width = self.other.width
        clipped = np.clip(distances, self.same.middle, self.other.middle)
        same = ((clipped - self.same.middle) / same_width) ** 2
        other = ((clipped - self.other.middle) / other_width) ** 2
        ratio = np.log(other_width / same_width) + (other - same) / 2
        return np.asarray(np.where(np.isnan(distances), 0.0, ratio))


def fit_likelihood(own: Floats, others: Floats, expected: ExpectedDistances) -> LikelihoodModel:
    """Fit the likelihood model to a dataset's distances to the right person and to others; NaN is ignored.

    A person's own photos are never expected to be nearer than on Labeled Faces in the Wild: with frames
    of one afternoon only, the same person in the next morning's light must not become a stranger.

    >>> from face_det.embedders import expected_distances
    >>> expected = expected_distances("sface")
    >>> fit_likelihood(np.full(9, 0.1), np.full(9, np.nan), expected).same == expected.same
    True
    """
    same = _shrink_towards(own, expected.same, _GIVEN_SAME)
    other = _shrink_towards(others, expected.other, _GIVEN_OTHER)
    same = DistanceSpread(max(same.middle, expected.same.middle), max(same.width, expected.same.width))
    # However alike people look, the means must not swap places, and no tiny difference may decide.
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
    """Return the Euclidean distances between encodings, shape (len(rows), len(columns)).

    >>> pairwise_distances(np.zeros((1, 128)), np.ones((2, 128))).round(2).tolist()
    [[11.31, 11.31]]
    """
    squares = (rows**2).sum(axis=1)[:, np.newaxis] + (columns**2).sum(axis=1) - 2 * rows @ columns.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def median_distances(encodings: Encodings, members: npt.NDArray[np.intp]) -> Floats:
    """Return the median distance of each photo to the photos of one person, not counting itself.

    `encodings` has shape (n, d), and `members` the indices of the person's photos. The result has shape
    (n,), NaN where there is no other photo.

    >>> median_distances(np.array([[0.0], [1.0], [3.0]]), np.array([0, 1])).tolist()
    [1.0, 1.0, 2.5]
    """
    found = np.full(len(encodings), np.nan)
    if not members.size:
        return found
    away = pairwise_distances(encodings, encodings[members])
    found[:] = np.median(away, axis=1)
    for column, member in enumerate(members):
        rest = np.delete(away[member], column)
        found[member] = np.median(rest) if rest.size else np.nan
    return found
