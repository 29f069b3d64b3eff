"""A linear support vector machine picks the person, and a distance gate decides: Ringface's rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.svm import LinearSVC

from face_det.classifiers.folds import TRAINING_SEED, Targets
from face_det.classifiers.gate import (
    STRANGER,
    StoredEncodings,
    append_stranger_column,
    probability_at_distance,
    sort_by_person,
)
from face_det.classifiers.open_set import OpenSetClassifier
from face_det.classifiers.recipe import GatedRecipe
from face_det.embedders import DLIB_DISTANCES
from face_det.types import Encodings

LINEAR_SVM_CANDIDATES = [{"C": C} for C in (1.0, 10.0, 0.1, 100.0)]


class LinearSvmClassifier(OpenSetClassifier):
    """LinearSVC picks a person; the distance to that person's closest photo decides.

    The person picked gets gate.probability_at_distance, which is 0.9 at Ringface's 0.5. The rest goes to
    STRANGER, the last of `classes_`; by Ringface's rule, nobody else gets anything.
    """

    def __init__(
        self,
        C: float = 1.0,
        even_distance: float = DLIB_DISTANCES.even_distance,
        gate_distance: float = DLIB_DISTANCES.gate_distance,
    ) -> None:
        self.C = C
        self.even_distance = even_distance
        self.gate_distance = gate_distance

    def fit(self, X: Encodings, y: Targets) -> LinearSvmClassifier:
        """Fit the SVM to encodings X, shape (n, d), of people y, shape (n,), and store the encodings."""
        self.photos_: StoredEncodings
        self.photos_, self.first_photo_, people = sort_by_person(X, y)
        # The primal problem converges for every C; the dual one may not.
        self.machine_ = LinearSVC(C=self.C, dual=False, random_state=TRAINING_SEED).fit(X, y)
        self.classes_: npt.NDArray[np.int64] = np.append(people, STRANGER)
        self.n_features_in_ = self.photos_.shape[1]
        return self

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, people + 1); rows sum to 1, and the last column is STRANGER's."""
        picked = np.searchsorted(self.classes_[:-1], self.machine_.predict(X))
        ends = np.append(self.first_photo_[1:], len(self.photos_))
        distances = [
            np.linalg.norm(self.photos_[self.first_photo_[person] : ends[person]] - one, axis=1).min()
            for one, person in zip(X, picked, strict=True)
        ]
        p = probability_at_distance(distances, self.even_distance, self.gate_distance)
        return append_stranger_column(np.eye(len(self.first_photo_))[picked], p)


class LinearSvmRecipe(GatedRecipe):
    """Searches for the best C; Ringface's C of 1 is the first candidate."""

    name = "linear_svm"
    minimum_people = 2
    photos_each = 2
    defaults = LINEAR_SVM_CANDIDATES[0]
    candidates = LINEAR_SVM_CANDIDATES

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Read C off a LinearSvmClassifier."""
        return {"C": classifier.C} if isinstance(classifier, LinearSvmClassifier) else None

    def _fit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> LinearSvmClassifier:
        return LinearSvmClassifier(**params, **self._distances).fit(X, y)
