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
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]
from sklearn.base import BaseEstimator, ClassifierMixin

from face_det.classifiers.nearest import STRANGER
from face_det.classifiers.search import Progress, Targets, require
from face_det.faces import Classifier, Encodings
from face_det.geometry import GEOMETRY, Geometry

EVEN, GATE = 0.5, 0.9
"""Probabilities at the two distances of the geometry, before a calibration."""

BURST = 0.4
"""Photos nearer to each other than this part of the even distance are of one moment: frames of one
visit, copies. They count as one photo, or the moment would be the person."""

OUTLIER = 1.0
"""A photo farther than this part of the even distance from the mean of a person's others is somebody
else's. On LFW 1 in 1,000 right ones is so far off, and 99 in 100 wrong ones."""

PAIRWISE = 1500
"""More photos of one person than this are not compared each with each."""

Scores = npt.NDArray[np.float64]
"""s = -ln(2 - 2 c), c the likeness of an encoding and a template: the logarithm of a squared distance,
turned round; shape (n, people). In it, the tail of strangers' best scores falls off exponentially with
either embedder."""


def unit(encodings: Encodings) -> Encodings:
    """Encodings of length 1; those of length 0 stay."""
    lengths = np.linalg.norm(encodings, axis=-1, keepdims=True)
    scaled: Encodings = encodings / np.where(lengths > 0, lengths, 1.0)
    return scaled


def score(likeness: npt.NDArray[Any]) -> Scores:
    """The score of a likeness; equal encodings get about 27."""
    scores: Scores = -np.log(np.maximum(2.0 - 2.0 * np.asarray(likeness, np.float64), 1e-12))
    return scores


def likeness(scores: npt.ArrayLike) -> Scores:
    """The likeness of a score."""
    found: Scores = 1.0 - np.exp(-np.asarray(scores, np.float64)) / 2.0
    return found


def moments(photos: Encodings, near: float) -> npt.NDArray[np.int64]:
    """For each photo of a person (length 1) the number of its moment, from 0; single linkage."""
    if len(photos) < 2 or len(photos) > PAIRWISE:
        return np.arange(len(photos))
    linked = photos @ photos.T > 1 - near**2 / 2
    return np.asarray(connected_components(csr_array(linked), directed=False)[1], np.int64)


def belonging(photos: Encodings, moment: npt.NDArray[np.int64], far: float) -> npt.NDArray[np.bool_]:
    """Which photos of a person are theirs: the farthest from the mean of the other moments goes, as
    long as it is farther than `far` and most remain. With fewer than four moments nobody can tell."""
    kept = np.ones(len(photos), bool)
    if len(photos) > PAIRWISE:
        return kept
    allowed = int(0.3 * (moment.max() + 1)) if len(photos) and moment.max() >= 3 else 0
    for _ in range(allowed):
        means = moment_means(photos[kept], moment[kept])
        others = unit(means.sum(axis=0) - means)
        distances = np.sqrt(np.maximum(2 - 2 * np.einsum("ij,ij->i", unit(means), others), 0))
        worst = int(distances.argmax())
        if distances[worst] <= far:
            break
        kept &= moment != np.unique(moment[kept])[worst]
    return kept


def moment_means(photos: Encodings, moment: npt.NDArray[np.int64]) -> Encodings:
    """The mean of each moment, shape (moments, d)."""
    _, inverse, counts = np.unique(moment, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), photos.shape[1]))
    np.add.at(sums, inverse, photos)
    means: Encodings = sums / counts[:, None]
    return means


class TemplateClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
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
        people, order = np.unique(y), np.argsort(y, kind="stable")
        first = np.searchsorted(y[order], people)
        photos = unit(X)
        scale = float(np.linalg.norm(X, axis=1).mean()) or 1.0
        self.classes_: npt.NDArray[np.int64] = np.append(people, STRANGER)
        self.n_features_in_ = X.shape[1]
        self.enrolled_: npt.NDArray[np.intp] = np.flatnonzero(people != self.strangers)
        self.moment_: npt.NDArray[np.int64] = np.zeros(len(y), np.int64)
        self.belongs_: npt.NDArray[np.bool_] = np.ones(len(y), bool)
        templates, means = np.zeros((len(people), X.shape[1])), np.zeros((len(people), X.shape[1]))
        for number in self.enrolled_:
            last = first[number + 1] if number + 1 < len(people) else len(y)
            rows = order[first[number] : last]
            moment = moments(photos[rows], BURST * self.even_distance / scale)
            kept = belonging(photos[rows], moment, OUTLIER * self.even_distance / scale)
            templates[number] = unit(moment_means(photos[rows[kept]], moment[kept]).sum(axis=0))
            means[number] = moment_means(X[rows[kept]], moment[kept]).mean(axis=0)
            self.moment_[rows], self.belongs_[rows] = moment, kept
        self.templates_: Encodings = templates
        self.means_: Encodings = means
        even, gate = -2 * np.log(self.even_distance / scale), -2 * np.log(self.gate_distance / scale)
        self.slope_ = float((_odds(GATE) - _odds(EVEN)) / (gate - even))
        self.offset_ = float(_odds(EVEN) - self.slope_ * even)
        return self

    def scores(self, X: Encodings) -> Scores:
        """Scores, shape (n, people); -inf for the strangers' class."""
        scores = score(self.likeness(unit(np.asarray(X, np.float64)), self.templates_))
        if len(self.enrolled_) < len(self.templates_):
            scores[:, np.setdiff1d(np.arange(len(self.templates_)), self.enrolled_)] = -np.inf
        return scores

    def likeness(self, photos: Encodings, templates: Encodings) -> Scores:
        """Of photos (n, d) to templates (m, d), all of length 1: shape (n, m)."""
        common = 0.0 if self.mean_face is None else (photos @ self.mean_face)[:, None]
        found: Scores = photos @ templates.T - common
        return found

    def distances(self, X: Encodings, people: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """From each encoding to the mean of one person's photos, in the embedder's own units, (n,)."""
        far: npt.NDArray[np.float64] = np.linalg.norm(np.asarray(X) - self.means_[people], axis=1)
        return far

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Probabilities, shape (n, people + 1); each row sums to 1, the last column is STRANGER's."""
        return probabilities(self.scores(X), self.slope_, self.offset_)

    def predict(self, X: Encodings) -> npt.NDArray[np.int64]:
        """The likeliest class of each, shape (n,)."""
        likeliest: npt.NDArray[np.int64] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest


def probabilities(scores: Scores, slope: float, offset: float) -> npt.NDArray[np.float64]:
    """The formula of TemplateClassifier: shape (n, people) -> (n, people + 1)."""
    odds = np.column_stack([slope * scores + offset, np.zeros(len(scores))])
    likely = np.exp(odds - odds.max(axis=1, keepdims=True))
    proba: npt.NDArray[np.float64] = likely / likely.sum(axis=1, keepdims=True)
    return proba


def _odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


class TemplateRecipe:
    """Nothing to search for: the templates follow from the photos."""

    name = "template"
    minimum_people = 1
    photos_each = 1
    defaults: Mapping[str, Any] = {}

    def __init__(
        self,
        geometry: Geometry = GEOMETRY["dlib_resnet"],
        strangers: int | None = None,
        mean_face: Encodings | None = None,
    ) -> None:
        self._geometry = geometry
        self._strangers = strangers
        self._mean_face = mean_face

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
        g = self._geometry
        blank = TemplateClassifier(g.even_distance, g.gate_distance, self._strangers, self._mean_face)
        return blank.fit(X, y)

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Nothing, for a TemplateClassifier."""
        return {} if isinstance(classifier, TemplateClassifier) else None
