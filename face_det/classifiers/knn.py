"""The k nearest enrolled photos vote; a distance gate says whether they may."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier

from face_det.classifiers.gate import STRANGER, probability, share_out
from face_det.classifiers.race import Round, best
from face_det.classifiers.search import Columns, Progress, Rows, Targets, log_loss, require, testable
from face_det.faces import Classifier, Encodings
from face_det.geometry import GEOMETRY, Geometry

DLIB = GEOMETRY["dlib_resnet"]

PYZM: Mapping[str, Any] = {"n_neighbors": None, "weights": "distance", "gate": "nearest"}
"""As pyzm does it: the root of n neighbours, near ones count for more, the nearest must pass the gate."""

WEB_APP: Mapping[str, Any] = {"n_neighbors": 5, "weights": "uniform", "gate": "farthest"}
"""As tf-face-recognition does it: the share of five votes, and all five must pass."""

CANDIDATES = [
    PYZM,
    WEB_APP,
    *({"n_neighbors": k, "weights": "distance", "gate": "nearest"} for k in (1, 3, 5)),
    {"n_neighbors": 3, "weights": "uniform", "gate": "farthest"},
]


class KnnClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """scikit-learn's KNeighborsClassifier behind a distance gate.

    The neighbours' votes share the probability that it is somebody enrolled (gate.probability of the
    distance to the nearest neighbour, or to the farthest of the k); what is left goes to STRANGER,
    behind the people in `classes_`. `n_neighbors` None is the root of the number of photos, rounded.
    """

    def __init__(
        self,
        n_neighbors: int | None = None,
        weights: str = "distance",
        gate: str = "nearest",
        even_distance: float = DLIB.even_distance,
        gate_distance: float = DLIB.gate_distance,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.gate = gate
        self.even_distance = even_distance
        self.gate_distance = gate_distance

    def fit(self, X: Encodings, y: Targets) -> KnnClassifier:
        """Keep encodings X, shape (n, d), of people y, shape (n,)."""
        k = self.n_neighbors or round(math.sqrt(len(X)))
        self.neighbours_ = KNeighborsClassifier(
            n_neighbors=min(max(1, k), len(X)), algorithm="ball_tree", weights=self.weights
        ).fit(X, y)
        self.classes_: npt.NDArray[np.int64] = np.append(self.neighbours_.classes_, STRANGER)
        self.n_features_in_ = self.neighbours_.n_features_in_
        return self

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Probabilities, shape (n, people + 1); each row sums to 1, the last column is STRANGER's."""
        distances, _ = self.neighbours_.kneighbors(X, n_neighbors=1 if self.gate == "nearest" else None)
        p = probability(distances[:, -1], self.even_distance, self.gate_distance)
        return share_out(self.neighbours_.predict_proba(X), p)

    def predict(self, X: Encodings) -> npt.NDArray[np.int64]:
        """The likeliest class of each, shape (n,)."""
        likeliest: npt.NDArray[np.int64] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest


class KnnRecipe:
    """Which k, which votes and which neighbour's distance serve these photos best."""

    name = "knn"
    minimum_people = 1
    photos_each = 3
    defaults: Mapping[str, Any] = PYZM

    def __init__(self, geometry: Geometry = DLIB) -> None:
        self._geometry = geometry

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: Progress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """The candidate with the best probabilities over the folds; pyzm's where nobody can be tested."""
        require(self.name, y, people=1, pairs=0)
        if not testable(y):
            on_progress(1, 1)
            return self.refit(X, y, self.defaults), dict(self.defaults), None

        def answer(params: Mapping[str, Any], train: Rows, test: Rows, one: Round) -> Columns:
            # Without STRANGER's column: all photos here are of somebody.
            return self._fitted(X[train], y[train], params).predict_proba(X[test])[:, :-1]

        found = best(answer, log_loss, CANDIDATES, y, jobs=jobs, on_progress=on_progress)
        return self.refit(X, y, found.params), found.params, found.accuracy

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """The classifier of these photos."""
        require(self.name, y, people=1, pairs=0)
        classifier: Classifier = self._fitted(X, y, params)
        return classifier

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """n_neighbors, weights and gate."""
        if not isinstance(classifier, KnnClassifier):
            return None
        found = classifier.get_params()
        return {key: found[key] for key in PYZM}

    def _fitted(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> KnnClassifier:
        distances = self._geometry.even_distance, self._geometry.gate_distance
        return KnnClassifier(**params, even_distance=distances[0], gate_distance=distances[1]).fit(X, y)
