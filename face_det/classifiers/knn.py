"""The k nearest enrolled photos vote; a distance gate says whether they may."""

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
    OpenSetClassifier,
    append_stranger_column,
    probability_at_distance,
)
from face_det.classifiers.recipe import GatedRecipe
from face_det.embedders import DLIB_DISTANCES
from face_det.types import Encodings

PYZM_PARAMS: Mapping[str, Any] = {"n_neighbors": None, "weights": "distance", "gate": "nearest"}
"""As pyzm does it: the root of n neighbours, near ones count for more, the nearest must pass the gate."""

WEB_APP_PARAMS: Mapping[str, Any] = {"n_neighbors": 5, "weights": "uniform", "gate": "farthest"}
"""As tf-face-recognition does it: the share of five votes, and all five must pass."""

KNN_CANDIDATES = [
    PYZM_PARAMS,
    WEB_APP_PARAMS,
    *({"n_neighbors": k, "weights": "distance", "gate": "nearest"} for k in (1, 3, 5)),
    {"n_neighbors": 3, "weights": "uniform", "gate": "farthest"},
]


class KnnClassifier(OpenSetClassifier):
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
        even_distance: float = DLIB_DISTANCES.even_distance,
        gate_distance: float = DLIB_DISTANCES.gate_distance,
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
        p = probability_at_distance(distances[:, -1], self.even_distance, self.gate_distance)
        return append_stranger_column(self.neighbours_.predict_proba(X), p)


class KnnRecipe(GatedRecipe):
    """Which k, which votes and which neighbour's distance serve these photos best."""

    name = "knn"
    minimum_people = 1
    photos_each = 3
    defaults = PYZM_PARAMS
    candidates = KNN_CANDIDATES

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """n_neighbors, weights and gate."""
        if not isinstance(classifier, KnnClassifier):
            return None
        found = classifier.get_params()
        return {key: found[key] for key in PYZM_PARAMS}

    def _fitted(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> KnnClassifier:
        return KnnClassifier(**params, **self._distances).fit(X, y)
