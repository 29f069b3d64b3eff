"""A person's template, the robust mean of their photos: the default, since nothing tried decides better.

Tried on LFW with both embedders, and no better or worse: within-class whitening at any shrinkage,
removing the mean of all faces, cohort normalisation (Z, T, S and adaptive), the nearest photo, the
mean of all or of the best comparisons, and scores fused with support vector machines or ridge
regression; docs/adr/0011-decision.md has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers.bursts import find_bursts_and_inliers, group_means, mean_norm, normalise_encodings
from face_det.classifiers.folds import Targets
from face_det.classifiers.gate import STRANGER, OpenSetClassifier
from face_det.classifiers.recipe import UnsearchedRecipe, require_enough_photos
from face_det.embedders import DLIB_DISTANCES, DistanceThresholds
from face_det.types import Classifier, Encodings

EVEN_PROBABILITY, TEMPLATE_GATE_PROBABILITY = 0.5, 0.9
"""Probabilities at the two distances of the geometry, before a calibration."""

BURST_RADIUS = 0.4
"""Photos nearer to each other than this part of the even distance are of one moment: frames of one
visit, copies. They count as one photo, or the moment would be the person."""

OUTLIER_RADIUS = 1.0
"""A photo farther than this part of the even distance from the mean of a person's others is somebody
else's. On LFW 1 in 1,000 right ones is so far off, and 99 in 100 wrong ones."""

TemplateScores = npt.NDArray[np.float64]
"""s = -ln(2 - 2 c), c the likeness of an encoding and a template: the logarithm of a squared distance,
turned round; shape (n, people). In it, the tail of strangers' best scores falls off exponentially with
either embedder."""


def similarity_to_score(likeness: npt.NDArray[Any]) -> TemplateScores:
    """The score of a likeness; equal encodings get about 27."""
    scores: TemplateScores = -np.log(np.maximum(2.0 - 2.0 * np.asarray(likeness, np.float64), 1e-12))
    return scores


def score_to_similarity(scores: npt.ArrayLike) -> TemplateScores:
    """The likeness of a score."""
    found: TemplateScores = 1.0 - np.exp(-np.asarray(scores, np.float64)) / 2.0
    return found


def burst_distance(encodings: Encodings, geometry: DistanceThresholds) -> float:
    """The distance, of encodings made to length 1, up to which two of one person are of one moment."""
    return BURST_RADIUS * geometry.even_distance / mean_norm(encodings)


class TemplateClassifier(OpenSetClassifier):
    """How likely each person is, or nobody enrolled (STRANGER), by the distances to the templates.

    p(person j) = exp(a s_j + b) / (1 + sum over all people k of exp(a s_k + b)), s the score above.
    So two people who are both near share the probability, and a stranger is near to nobody. a and b
    follow from the geometry until identity.verification fits them to what the photos show.

    The likeness is the cosine, less what the encoding has in common with `mean_face` (d,), the mean of
    many strangers' encodings of length 1, where the embedder has one: x . (template - mean face).

    `strangers` is the class of Unknown's photos, if there are any: it has no template, for the mean
    of many people is the face that everybody resembles.
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
        """Make the templates of encodings X, shape (n, d), of people y, shape (n,)."""
        X, y = np.asarray(X, np.float64), np.asarray(y)
        people, number = np.unique(y, return_inverse=True)
        photos = normalise_encodings(X)
        scale = mean_norm(X)
        self.classes_: npt.NDArray[np.int64] = np.append(people, STRANGER)
        self.n_features_in_ = X.shape[1]
        self.enrolled_: npt.NDArray[np.intp] = np.flatnonzero(people != self.strangers)
        even = self.even_distance / scale
        moment, self.belongs_ = find_bursts_and_inliers(
            photos, number, self.enrolled_, BURST_RADIUS * even, OUTLIER_RADIUS * even
        )
        # Each person's moments have numbers of their own, and Unknown's photos are nobody's.
        used = np.flatnonzero(self.belongs_ & np.isin(number, self.enrolled_))
        keys, of = np.unique(number[used] * len(y) + moment[used], return_inverse=True)
        whose = keys // len(y)
        self.moment_: npt.NDArray[np.int64] = np.full(len(y), -1)
        self.moment_[used] = of
        self.moments_: npt.NDArray[np.int64] = np.bincount(whose, minlength=len(people))
        self.moment_means_: Encodings = group_means(photos[used], of)
        self.templates_: Encodings = np.zeros((len(people), X.shape[1]))
        self.means_: Encodings = np.zeros((len(people), X.shape[1]))
        mean = group_means(self.moment_means_, whose)
        self.templates_[self.enrolled_] = normalise_encodings(mean)
        self.lengths_: Encodings = np.zeros(len(people))
        self.lengths_[self.enrolled_] = np.linalg.norm(mean, axis=1)
        self.means_[self.enrolled_] = group_means(group_means(X[used], of), whose)
        far, near = -2 * np.log(even), -2 * np.log(self.gate_distance / scale)
        self.slope_ = float(
            (_log_odds(TEMPLATE_GATE_PROBABILITY) - _log_odds(EVEN_PROBABILITY)) / (near - far)
        )
        self.offset_ = float(_log_odds(EVEN_PROBABILITY) - self.slope_ * far)
        return self

    def forget_photos(self) -> None:
        """Let go of what only a calibration needs, and a model on disk is not to hold."""
        del self.moment_, self.moments_, self.moment_means_, self.belongs_, self.lengths_

    def scores(self, X: Encodings) -> TemplateScores:
        """Scores, shape (n, people); -inf for the strangers' class."""
        photos = normalise_encodings(np.asarray(X, np.float64))
        scores = similarity_to_score(photos @ self.templates_.T - (photos @ self.common)[:, None])
        if len(self.enrolled_) < len(self.templates_):
            scores[:, np.setdiff1d(np.arange(len(self.templates_)), self.enrolled_)] = -np.inf
        return scores

    @property
    def common(self) -> Encodings:
        """The mean face, (d,); zero if there is none."""
        return np.zeros(self.n_features_in_) if self.mean_face is None else np.asarray(self.mean_face)

    def distances(self, X: Encodings, people: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """From each encoding to the mean of one person's photos, in the embedder's own units, (n,)."""
        far: npt.NDArray[np.float64] = np.linalg.norm(np.asarray(X) - self.means_[people], axis=1)
        return far

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Probabilities, shape (n, people + 1); each row sums to 1, the last column is STRANGER's."""
        return self.likely(self.scores(X))

    def likely(self, scores: TemplateScores) -> npt.NDArray[np.float64]:
        """The probabilities that scores (n, people) stand for, as predict_proba has them."""
        odds = np.column_stack([self.slope_ * scores + self.offset_, np.zeros(len(scores))])
        weights = np.exp(odds - odds.max(axis=1, keepdims=True))
        proba: npt.NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
        return proba


def _log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


class TemplateRecipe(UnsearchedRecipe):
    """The templates follow from the photos."""

    name = "template"

    def __init__(
        self,
        geometry: DistanceThresholds = DLIB_DISTANCES,
        strangers: int | None = None,
        mean_face: Encodings | None = None,
    ) -> None:
        self._geometry = geometry
        self._strangers = strangers
        self._mean_face = mean_face

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """The classifier of these photos; `params` is empty."""
        require_enough_photos(self.name, y, people=1, pairs=0)
        g = self._geometry
        blank = TemplateClassifier(g.even_distance, g.gate_distance, self._strangers, self._mean_face)
        return blank.fit(X, y)

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Nothing, for a TemplateClassifier."""
        return {} if isinstance(classifier, TemplateClassifier) else None
