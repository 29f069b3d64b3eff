"""Decides by templates, the robust mean of each person's photos. This is the default classifier.

Nothing else tried on LFW decided better with either embedder: within-class whitening at any shrinkage,
removing the mean of all faces, cohort normalisation (Z, T, S and adaptive), the nearest photo, the mean of
all or of the best comparisons, and scores fused with support vector machines or ridge regression.
docs/adr/0011-decision.md has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers.bursts import (
    BURST_RADIUS,
    find_bursts_and_inliers,
    group_means,
    mean_norm,
    normalise_encodings,
)
from face_det.classifiers.folds import Targets
from face_det.classifiers.gate import GATE_PROBABILITY, STRANGER
from face_det.classifiers.open_set import ScoringClassifier, line_through
from face_det.classifiers.recipe import UnsearchedRecipe, require_enough_photos
from face_det.classifiers.similarity import TemplateScores, similarity_to_score
from face_det.embedders import DLIB_DISTANCES, DistanceThresholds
from face_det.types import Classifier, Encodings

OUTLIER_RADIUS = 1.0
"""A photo farther than this share of the even distance from the mean of a person's other photos is somebody
else's. On LFW that is true of 99 in 100 wrong photos and 1 in 1,000 right ones."""


class TemplateClassifier(ScoringClassifier):
    """How likely each person is, or nobody enrolled (STRANGER), by the distances to the templates.

    The line that turns scores into probabilities follows from the two distances, where they are even and
    GATE_PROBABILITY, until training.calibration fits it to the photos.

    The similarity is x . (template - mean face): the cosine, less what the encoding x has in common with
    `mean_face` (d,), the mean of many strangers' encodings of length 1, where the embedder has one.

    `strangers` is the class of Unknown's photos, if there are any. It has no template, because the mean of
    many people is a face that everybody resembles.
    """

    def __init__(
        self,
        even_distance: float = 0.6,
        gate_distance: float = 0.5,
        strangers: int | None = None,
        mean_face: Encodings | None = None,
    ) -> None:
        self.even_distance = even_distance
        self.gate_distance = gate_distance
        self.strangers = strangers
        self.mean_face = mean_face

    def fit(self, X: Encodings, y: Targets) -> TemplateClassifier:
        """Make the templates from encodings X, shape (n, d), of people y, shape (n,)."""
        X, y = np.asarray(X, np.float64), np.asarray(y)
        people, number = np.unique(y, return_inverse=True)
        photos = normalise_encodings(X)
        scale = mean_norm(X)
        self.classes_: npt.NDArray[np.int64] = np.append(people, STRANGER)
        self.n_features_in_ = X.shape[1]
        self.enrolled_: npt.NDArray[np.intp] = np.flatnonzero(people != self.strangers)
        even = self.even_distance / scale
        burst, self.inlier_ = find_bursts_and_inliers(
            photos, number, self.enrolled_, BURST_RADIUS * even, OUTLIER_RADIUS * even
        )
        # Number each person's bursts separately; Unknown's photos are nobody's.
        used = np.flatnonzero(self.inlier_ & np.isin(number, self.enrolled_))
        keys, burst_of_used = np.unique(number[used] * len(y) + burst[used], return_inverse=True)
        person_of_burst = keys // len(y)
        self.burst_: npt.NDArray[np.int64] = np.full(len(y), -1)
        self.burst_[used] = burst_of_used
        self.burst_counts_: npt.NDArray[np.int64] = np.bincount(person_of_burst, minlength=len(people))
        self.burst_means_: Encodings = group_means(photos[used], burst_of_used)
        self.templates_: Encodings = np.zeros((len(people), X.shape[1]))
        self.means_: Encodings = np.zeros((len(people), X.shape[1]))
        mean = group_means(self.burst_means_, person_of_burst)
        self.templates_[self.enrolled_] = normalise_encodings(mean)
        self.lengths_: Encodings = np.zeros(len(people))
        self.lengths_[self.enrolled_] = np.linalg.norm(mean, axis=1)
        self.means_[self.enrolled_] = group_means(group_means(X[used], burst_of_used), person_of_burst)
        self.slope_, self.offset_ = line_through(even, self.gate_distance / scale, GATE_PROBABILITY)
        return self

    def drop_training_state(self) -> None:
        """Drop what only the calibration needs and a model on disk must not hold."""
        del self.burst_, self.burst_counts_, self.burst_means_, self.inlier_, self.lengths_

    def scores(self, X: Encodings) -> TemplateScores:
        """Return scores, shape (n, people); the strangers' class has -inf."""
        photos = normalise_encodings(np.asarray(X, np.float64))
        scores = similarity_to_score(photos @ self.templates_.T - (photos @ self.mean_face_or_zero)[:, None])
        if len(self.enrolled_) < len(self.templates_):
            scores[:, np.setdiff1d(np.arange(len(self.templates_)), self.enrolled_)] = -np.inf
        return scores

    @property
    def mean_face_or_zero(self) -> Encodings:
        """The mean face, shape (d,); zeros if there is none."""
        return np.zeros(self.n_features_in_) if self.mean_face is None else np.asarray(self.mean_face)

    def own_distances(self, X: Encodings, people: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Return the distance of each encoding to the mean of one person's photos.

        X, shape (n, d), and `people`, shape (n,), give shape (n,), in the embedder's own units.
        """
        distances: npt.NDArray[np.float64] = np.linalg.norm(np.asarray(X) - self.means_[people], axis=1)
        return distances

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, people + 1); rows sum to 1, and the last column is STRANGER's."""
        return self.proba_of_scores(self.scores(X))


class TemplateRecipe(UnsearchedRecipe):
    """Fits templates, which follow from the photos without a search."""

    name = "template"

    def __init__(
        self,
        distances: DistanceThresholds = DLIB_DISTANCES,
        strangers: int | None = None,
        mean_face: Encodings | None = None,
    ) -> None:
        self._distances = distances
        self._strangers = strangers
        self._mean_face = mean_face

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Fit a TemplateClassifier; `params` is empty."""
        require_enough_photos(self.name, y, people=1, pairs=0)
        even, gate = self._distances.even_distance, self._distances.gate_distance
        return TemplateClassifier(even, gate, self._strangers, self._mean_face).fit(X, y)

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Return {} for a TemplateClassifier, which has no parameters."""
        return {} if isinstance(classifier, TemplateClassifier) else None
