"""Names the person of the nearest enrolled photo; works with a single photo and with a million."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers.folds import Targets
from face_det.classifiers.gate import (
    STRANGER,
    StoredEncodings,
    probability_at_distance,
    sort_by_person,
)
from face_det.classifiers.nn_index import NearestNeighbourIndex
from face_det.classifiers.open_set import OpenSetClassifier
from face_det.classifiers.recipe import UnsearchedRecipe, require_enough_photos
from face_det.embedders import DLIB_DISTANCES, DistanceThresholds
from face_det.types import Classifier, Encodings


class NearestClassifier(OpenSetClassifier):
    """The distance to the closest photo, as a probability (gate.probability_at_distance).

    With dlib's distances that is 0.5 at 0.6 and 0.9 at 0.5. The person of the closest photo gets p. The rest,
    1 - p, goes to STRANGER, the last of `classes_`; gate.append_stranger_column says why.

    If the photos include a person called `Unknown`, STRANGER means the same; recognition.Model, which knows
    the names, adds the two up.
    """

    # Classifiers pickled before these were options lack them as instance attributes.
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
        """Store encodings X, shape (n, d), of people y, shape (n,)."""
        photos, self.first_photo_, people = sort_by_person(X, y)
        self.photos_: StoredEncodings = photos
        self.classes_: npt.NDArray[np.int64] = np.append(people, STRANGER)
        self.n_features_in_ = photos.shape[1]
        self._index = NearestNeighbourIndex().fit(photos)
        return self

    def find_closest(self, X: Encodings) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
        """Find the closest photo to each encoding, shape (n, d).

        Returns the position of its person in `classes_` and its distance, both of shape (n,).
        """
        distances, rows = self._photo_index().nearest(X)
        return np.searchsorted(self.first_photo_, rows[:, 0], side="right") - 1, distances[:, 0]

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, people + 1); rows sum to 1, and the last column is STRANGER's."""
        person, distances = self.find_closest(X)
        p = probability_at_distance(distances, self.even_distance, self.gate_distance)
        proba = np.zeros((len(p), len(self.classes_)))
        proba[np.arange(len(p)), person] = p
        proba[:, -1] = 1 - p
        return proba

    def _photo_index(self) -> NearestNeighbourIndex:
        # Two threads may both build it after unpickling; the second copy does no harm.
        if "_index" not in vars(self):
            self._index = NearestNeighbourIndex().fit(self.photos_)
        return self._index

    def __getstate__(self) -> dict[str, Any]:
        """Leave the index out of the pickle; it is rebuilt from the photos."""
        return {name: value for name, value in vars(self).items() if name != "_index"}


class NearestRecipe(UnsearchedRecipe):
    """Nothing to fit: the photos are the classifier."""

    name = "nearest"

    def __init__(self, distances: DistanceThresholds = DLIB_DISTANCES) -> None:
        self._distances = distances

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Fit a NearestClassifier; `params` is empty."""
        require_enough_photos(self.name, y, people=1, pairs=0)
        classifier: Classifier = NearestClassifier(
            self._distances.even_distance, self._distances.gate_distance
        ).fit(X, y)
        return classifier

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Return {} for a NearestClassifier, which has no parameters."""
        return {} if isinstance(classifier, NearestClassifier) else None
