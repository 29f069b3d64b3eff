"""The k nearest enrolled photos vote, and a distance gate decides whether their vote counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import KNeighborsClassifier

from face_det.classifiers.folds import Targets
from face_det.classifiers.gate import (
    STRANGER,
    append_stranger_column,
    probability_at_distance,
)
from face_det.classifiers.open_set import OpenSetClassifier
from face_det.classifiers.recipe import GatedRecipe
from face_det.embedders import DLIB_DISTANCES
from face_det.types import Encodings

PYZM_PARAMS: Mapping[str, Any] = {"n_neighbors": None, "weights": "distance", "gate": "nearest"}
"""pyzm's rule: the square root of n neighbours, weighted by closeness; the nearest must pass the gate."""

WEB_APP_PARAMS: Mapping[str, Any] = {"n_neighbors": 5, "weights": "uniform", "gate": "farthest"}
"""tf-face-recognition's rule: a person's share of five votes, and all five must pass the gate."""

KNN_CANDIDATES = [
    PYZM_PARAMS,
    WEB_APP_PARAMS,
    *({"n_neighbors": k, "weights": "distance", "gate": "nearest"} for k in (1, 3, 5)),
    {"n_neighbors": 3, "weights": "uniform", "gate": "farthest"},
]


class KnnClassifier(OpenSetClassifier):
    """scikit-learn's KNeighborsClassifier behind a distance gate.

    `gate` names the neighbour whose distance is judged, "nearest" or "farthest" of the k. The probability at
    that distance (gate.probability_at_distance) is shared out by the neighbours' votes; the rest goes to
    STRANGER, the last of `classes_`. If `n_neighbors` is None, k is the square root of the number of photos.
    """

    def __init__(
        self,
        n_neighbors: int | None = None,
        weights: str = "distance",
        gate: str = "nearest",
        even_distance: float = DLIB_DISTANCES.even_distance,
        gate_distance: float = DLIB_DISTANCES.gate_distance,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.gate = gate
        self.even_distance = even_distance
        self.gate_distance = gate_distance

    def fit(self, X: Encodings, y: Targets) -> KnnClassifier:
        """Store encodings X, shape (n, d), of people y, shape (n,)."""
        k = self.n_neighbors or round(math.sqrt(len(X)))
        self.neighbours_ = KNeighborsClassifier(
            n_neighbors=min(max(1, k), len(X)), algorithm="ball_tree", weights=self.weights
        ).fit(X, y)
        self.classes_: npt.NDArray[np.int64] = np.append(self.neighbours_.classes_, STRANGER)
        self.n_features_in_ = self.neighbours_.n_features_in_
        return self

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, people + 1); rows sum to 1, and the last column is STRANGER's."""
        distances, _ = self.neighbours_.kneighbors(X, n_neighbors=1 if self.gate == "nearest" else None)
        p = probability_at_distance(distances[:, -1], self.even_distance, self.gate_distance)
        return append_stranger_column(self.neighbours_.predict_proba(X), p)


class KnnRecipe(GatedRecipe):
    """Searches for the best k, vote weighting and judged neighbour."""

    name = "knn"
    minimum_people = 1
    photos_each = 3
    defaults = PYZM_PARAMS
    candidates = KNN_CANDIDATES

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Read n_neighbors, weights and gate off a KnnClassifier."""
        if not isinstance(classifier, KnnClassifier):
            return None
        params = classifier.get_params()
        return {key: params[key] for key in PYZM_PARAMS}

    def _fit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> KnnClassifier:
        return KnnClassifier(**params, **self._distances).fit(X, y)
