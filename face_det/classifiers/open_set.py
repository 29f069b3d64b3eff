"""What classifiers have in common that may say that a face is nobody's who is enrolled."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers.similarity import TemplateScores
from face_det.types import Encodings


class OpenSetClassifier(ABC):
    """A classifier whose last class, after the people, is STRANGER; it predicts the likeliest class.

    It has scikit-learn's methods but not its base class: a daemon that decides by templates would otherwise
    load scikit-learn for nothing else, which takes seconds and 80 MB.
    """

    classes_: npt.NDArray[np.int64]

    @abstractmethod
    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, people + 1); rows sum to 1, and the last column is STRANGER's."""

    def predict(self, X: Encodings) -> npt.NDArray[np.int64]:
        """Return the likeliest class of each encoding, shape (n, d) -> (n,)."""
        likeliest: npt.NDArray[np.int64] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest

    def get_params(self) -> dict[str, Any]:
        """Return the parameters that the classifier was made with, by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}


class ScoringClassifier(OpenSetClassifier):
    """A classifier that scores each face for each person, so that a verifier can decide by it.

    A score is the negative logarithm of a squared distance; the classes in `enrolled_` have one, and that of
    strangers, if there is one, has -inf. `templates_` and `means_`, shape (people, d), are the middle of each
    person's photos, of length 1 and as it is. Nobody is named beyond `even_distance`.
    """

    even_distance: float
    enrolled_: npt.NDArray[np.intp]
    templates_: Encodings
    means_: Encodings
    slope_: float
    offset_: float
    n_features_in_: int

    @abstractmethod
    def scores(self, X: Encodings) -> TemplateScores:
        """Return scores, shape (n, people); the strangers' class has -inf."""

    @abstractmethod
    def own_distances(self, X: Encodings, people: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Return each encoding's distance to one person, X (n, d) and `people` (n,) giving shape (n,)."""

    @property
    def mean_face_or_zero(self) -> Encodings:
        """What all faces have in common, shape (d,); zeros if it is not subtracted."""
        return np.zeros(self.n_features_in_)

    def proba_of_scores(self, scores: TemplateScores) -> npt.NDArray[np.float64]:
        """Turn scores, shape (n, people), into probabilities, shape (n, people + 1), the last STRANGER's.

        p(person j) = exp(a s_j + b) / (1 + sum over all people k of exp(a s_k + b)), with `slope_` a and
        `offset_` b: two people who are both near share the probability, and a stranger is near nobody.
        """
        odds = np.column_stack([self.slope_ * scores + self.offset_, np.zeros(len(scores))])
        weights = np.exp(odds - odds.max(axis=1, keepdims=True))
        proba: npt.NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
        return proba


def line_through(even: float, gate: float, gate_probability: float) -> tuple[float, float]:
    """Return slope and offset of log odds over scores that are even at one distance and sure at another.

    >>> slope, offset = line_through(even=2.0, gate=1.0, gate_probability=0.9)
    >>> round(float(slope * -2 * np.log(1.0) + offset), 3), round(float(np.log(9)), 3)
    (2.197, 2.197)
    """
    far, near = -2 * np.log(even), -2 * np.log(gate)
    slope = float(np.log(gate_probability / (1 - gate_probability)) / (near - far))
    return slope, float(-slope * far)
