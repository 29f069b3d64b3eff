"""The nearest enrolled photo decides. Works with one photo of one person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import euclidean_distances

from face_det.classifiers.search import Progress, Targets, require
from face_det.faces import Classifier, Encodings

STRANGER = -1
"""The class of "nobody enrolled", as scikit-learn numbers outliers; it is on no label file."""

EVEN_DISTANCE = 0.6
"""dlib's threshold: two photos that far apart are as likely of one person as of two."""

GATE_DISTANCE = 0.5
GATE_PROBABILITY = 0.9
"""Ringface lets nothing farther than that through; here it is the default minProba."""


class NearestClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Distance to the closest photo of the closest person, as a probability.

    p = 1 / (1 + exp(k * (distance - 0.6))), k = ln 9 / 0.1, which is 0.5 at a distance of 0.6 and
    0.9 at 0.5. The closest person gets p; the rest, 1 - p, is the chance that it is nobody
    enrolled, and goes to a class of its own, STRANGER, which `classes_` holds behind the people.
    Were it shared among the other people, a stranger far from everybody would make one of them
    certain; with one person enrolled, a stranger would be that person with p = 1.

    With an `Unknown` person among the photos, STRANGER means the same as that one; who knows the
    names (identity.model) adds the two up.
    """

    def fit(self, X: Encodings, y: Targets) -> NearestClassifier:
        """Keep encodings X, shape (n, 128), of people y, shape (n,)."""
        order = np.argsort(y, kind="stable")
        people, first = np.unique(np.asarray(y)[order], return_index=True)
        self.photos_: Encodings = np.asarray(X, dtype=np.float64)[order]
        self.first_photo_: npt.NDArray[np.intp] = first
        self.classes_: npt.NDArray[np.int64] = np.append(people, STRANGER)
        self.n_features_in_ = self.photos_.shape[1]
        return self

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Probabilities, shape (n, people + 1); each row sums to 1, the last column is STRANGER's."""
        distances = np.minimum.reduceat(euclidean_distances(X, self.photos_), self.first_photo_, axis=1)
        rows = np.arange(len(distances))
        closest = distances.argmin(axis=1)
        steepness = np.log(GATE_PROBABILITY / (1 - GATE_PROBABILITY)) / (EVEN_DISTANCE - GATE_DISTANCE)
        p = 1 / (1 + np.exp(steepness * (distances[rows, closest] - EVEN_DISTANCE)))
        proba = np.zeros((len(distances), len(self.classes_)))
        proba[rows, closest] = p
        proba[:, -1] = 1 - p
        return proba

    def predict(self, X: Encodings) -> npt.NDArray[np.int64]:
        """The likeliest class of each, shape (n,)."""
        likeliest: npt.NDArray[np.int64] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest


class NearestRecipe:
    """Nothing to search for and nothing to fit: the photos are the classifier."""

    name = "nearest"
    minimum_people = 1
    photos_each = 1
    defaults: Mapping[str, Any] = {}

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: Progress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """The classifier; no parameters and no score, since there is only one candidate."""
        fitted = self.refit(X, y, {})
        on_progress(1, 1)
        return fitted, {}, None

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """The classifier of these photos; `params` is empty."""
        require(self.name, y, people=1, pairs=0)
        return NearestClassifier().fit(X, y)

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Nothing, for a NearestClassifier."""
        return {} if isinstance(classifier, NearestClassifier) else None
