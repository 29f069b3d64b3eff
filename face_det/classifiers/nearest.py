"""The nearest enrolled photo decides. Works with one photo of one person, and with a million."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers.folds import Targets
from face_det.classifiers.gate import (
    STRANGER,
    OpenSetClassifier,
    StoredEncodings,
    probability_at_distance,
    sort_by_person,
)
from face_det.classifiers.nn_index import NearestNeighbourIndex
from face_det.classifiers.recipe import UnsearchedRecipe, require_enough_photos
from face_det.embedders import DLIB_DISTANCES, DistanceThresholds
from face_det.types import Classifier, Encodings


class NearestClassifier(OpenSetClassifier):
    """Distance to the closest photo of the closest person, as a probability (gate.probability).

    With dlib's distances that is 0.5 at 0.6 and 0.9 at 0.5. The closest person gets p; the rest,
    1 - p, is the chance that it is nobody enrolled, and goes to a class of its own, STRANGER, which
    `classes_` holds behind the people (gate.share_out says why).

    With an `Unknown` person among the photos, STRANGER means the same as that one; who knows the
    names (identity.model) adds the two up.
    """

    # Classifiers pickled before these could be chosen have none of their own.
    even_distance = DLIB_DISTANCES.even_distance
    gate_distance = DLIB_DISTANCES.gate_distance

    def __init__(
        self,
        even_distance: float = DLIB_DISTANCES.even_distance,
        gate_distance: float = DLIB_DISTANCES.gate_distance,
    ) -> None:
        self.even_distance = even_distance
        self.gate_distance = gate_distance

    def fit(self, X: Encodings, y: Targets) -> NearestClassifier:
        """Keep encodings X, shape (n, d), of people y, shape (n,)."""
        photos, self.first_photo_, people = sort_by_person(X, y)
        self.photos_: StoredEncodings = photos
        self.classes_: npt.NDArray[np.int64] = np.append(people, STRANGER)
        self.n_features_in_ = photos.shape[1]
        self._lookup = NearestNeighbourIndex().fit(photos)
        return self

    def closest(self, X: Encodings) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
        """(which of `classes_`, distance) of the closest photo to each encoding, both of shape (n,)."""
        distances, rows = self._photos_lookup().nearest(X)
        return np.searchsorted(self.first_photo_, rows[:, 0], side="right") - 1, distances[:, 0]

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Probabilities, shape (n, people + 1); each row sums to 1, the last column is STRANGER's."""
        person, distances = self.closest(X)
        p = probability_at_distance(distances, self.even_distance, self.gate_distance)
        proba = np.zeros((len(p), len(self.classes_)))
        proba[np.arange(len(p)), person] = p
        proba[:, -1] = 1 - p
        return proba

    def _photos_lookup(self) -> NearestNeighbourIndex:
        # Two threads that both find none make the same one twice, which does no harm.
        if "_lookup" not in vars(self):
            self._lookup = NearestNeighbourIndex().fit(self.photos_)
        return self._lookup

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the lookup is made again of the photos."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_lookup"}


class NearestRecipe(UnsearchedRecipe):
    """Nothing to fit: the photos are the classifier."""

    name = "nearest"

    def __init__(self, geometry: DistanceThresholds = DLIB_DISTANCES) -> None:
        self._geometry = geometry

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """The classifier of these photos; `params` is empty."""
        require_enough_photos(self.name, y, people=1, pairs=0)
        classifier: Classifier = NearestClassifier(
            self._geometry.even_distance, self._geometry.gate_distance
        ).fit(X, y)
        return classifier

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Nothing, for a NearestClassifier."""
        return {} if isinstance(classifier, NearestClassifier) else None
