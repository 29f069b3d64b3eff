"""Distance gates: how likely it is, by distance alone, that somebody is who the classifier says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator, ClassifierMixin

from face_det.classifiers.folds import Targets
from face_det.types import Encodings

STRANGER = -1
"""The class of "nobody enrolled", as scikit-learn numbers outliers; it is on no label file."""

GATE_PROBABILITY = 0.9
"""At the gate's distance; it is the default minProba."""

Probabilities = npt.NDArray[np.float64]
StoredEncodings = npt.NDArray[np.float32]
"""Encodings as they are kept, shape (n, d): in the precision that networks answer in."""


class OpenSetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose last class is STRANGER, behind the people; it predicts the likeliest."""

    classes_: npt.NDArray[np.int64]

    def predict(self, X: Encodings) -> npt.NDArray[np.int64]:
        """The likeliest class of each, shape (n,)."""
        likeliest: npt.NDArray[np.int64] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest


def probability_at_distance(distance: npt.ArrayLike, even: float, gate: float) -> Probabilities:
    """p = 1 / (1 + exp(k (distance - even))), k = ln 9 / (even - gate).

    It is 0.5 at the distance `even`, at which two photos are as likely of one person as of two, and
    0.9 at the distance `gate`: p >= 0.9 is the gate, and p also ranks what lies before and behind it.
    """
    steepness = np.log(GATE_PROBABILITY / (1 - GATE_PROBABILITY)) / (even - gate)
    p: Probabilities = expit(steepness * (even - np.asarray(distance, dtype=np.float64)))
    return p


def append_stranger_column(votes: Probabilities, p: Probabilities) -> Probabilities:
    """Probabilities, a column a person and one for STRANGER behind them; each row sums to 1.

    The votes, shape (n, people), whose rows sum to 1, share p, shape (n,). What is left goes to
    STRANGER: were it shared among the people, too, a stranger far from everybody would make one of
    them certain; with one person enrolled, a stranger would be that person with p = 1.
    """
    return np.column_stack([votes * p[:, None], 1 - p])


def sort_by_person(
    X: Encodings, y: Targets
) -> tuple[StoredEncodings, npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """(photos, first, people): the encodings sorted by person, the first row of each, and who they are."""
    order = np.argsort(y, kind="stable")
    people, first = np.unique(np.asarray(y)[order], return_index=True)
    return np.asarray(X, dtype=np.float32)[order], first, people.astype(np.int64)
