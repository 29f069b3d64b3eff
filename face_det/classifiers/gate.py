"""Distance gates turn a distance alone into the probability that a classifier named the right person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from face_det.types import Encodings

if TYPE_CHECKING:
    from face_det.classifiers.folds import Targets

STRANGER = -1
"""The class for "nobody enrolled", with scikit-learn's number for outliers; no label file lists it."""

GATE_PROBABILITY = 0.9
"""The probability at the gate distance; it is also the default of minProba."""

Probabilities = npt.NDArray[np.float64]
StoredEncodings = npt.NDArray[np.float32]
"""Encodings as they are stored, shape (n, d), in the precision of the networks' outputs."""


def probability_at_distance(distance: npt.ArrayLike, even: float, gate: float) -> Probabilities:
    """Turn distances into probabilities of the same shape.

    p = 1 / (1 + exp(k (distance - even))) with k = ln 9 / (even - gate). It is 0.5 at the distance `even`,
    where two photos are as likely to show one person as two, and 0.9 at the distance `gate`. So p >= 0.9
    is the gate, and p also ranks faces on either side of it.

    >>> probability_at_distance([0.5, 0.6], even=0.6, gate=0.5).round(3).tolist()
    [0.9, 0.5]
    """
    # Only here: the daemon and most commands start without scipy, which takes half a second to import.
    from scipy.special import expit  # type: ignore[import-untyped]

    steepness = np.log(GATE_PROBABILITY / (1 - GATE_PROBABILITY)) / (even - gate)
    p: Probabilities = expit(steepness * (even - np.asarray(distance, dtype=np.float64)))
    return p


def append_stranger_column(votes: Probabilities, p: Probabilities) -> Probabilities:
    """Scale votes by p, and give STRANGER the rest: (n, people), (n,) -> (n, people + 1).

    Rows of `votes` sum to 1, and so do rows of the result. If the rest were also shared among the people,
    a stranger far from everybody would make one of them certain, and with one person enrolled, every stranger
    would be that person with p = 1.

    >>> append_stranger_column(np.array([[0.75, 0.25]]), np.array([0.5])).tolist()
    [[0.375, 0.125, 0.5]]
    """
    return np.column_stack([votes * p[:, None], 1 - p])


def sort_by_person(
    X: Encodings, y: Targets
) -> tuple[StoredEncodings, npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Sort encodings X, shape (n, d), by their person y, shape (n,).

    Returns the sorted encodings, the first row of each person, and the people.

    >>> photos, first, people = sort_by_person(np.eye(3), np.array([1, 0, 1]))
    >>> photos.tolist(), first.tolist(), people.tolist()
    ([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [0, 1], [0, 1])
    """
    order = np.argsort(y, kind="stable")
    people, first = np.unique(np.asarray(y)[order], return_index=True)
    return np.asarray(X, dtype=np.float32)[order], first, people.astype(np.int64)
