"""The classic recognisers: Eigenfaces, Fisherfaces and local binary patterns, as in OpenCV's cv2.face.

They learn from grey faces (embedders/grey.py), not from a network's encodings. What was learnt is kept as
arrays, so that a model is a pickle like any other; distances are those of cv2.face.predict.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from face_det.classifiers.bursts import normalise_encodings
from face_det.classifiers.folds import Targets
from face_det.classifiers.gate import GATE_PROBABILITY, STRANGER, probability_at_distance
from face_det.classifiers.open_set import ScoringClassifier, line_through
from face_det.classifiers.recipe import UnsearchedRecipe, require_enough_photos
from face_det.classifiers.similarity import TemplateScores
from face_det.embedders import DistanceThresholds
from face_det.types import Classifier, Encodings

EVEN_TO_GATE = 1.2
"""The distance at which a name is as likely right as wrong, relative to the distance at which it is given. It
only shapes the probability that is answered."""

MAX_PHOTOS_LEARNT = 500
"""At most this many photos shape the subspace of Eigenfaces and Fisherfaces, whose training time grows with
the cube of their number; all are compared with."""

LEAST_VARIANCE = 1e-10
"""Components with less than this share of the first one's variance are rounding errors."""

Features = npt.NDArray[np.floating]

_opencv_face: Any = cv2.face  # OpenCV's type stubs know nothing of what is in it


class PixelClassifier(ScoringClassifier):
    """Compares a face with every enrolled photo, and names the person of the nearest one.

    Within `gate_distance` somebody is named. Each class has the customary one; training.pixel_scores finds
    that for a false accept rate. Distances are those of cv2.face, in units of its own. `strangers` is the
    class of Unknown's photos, if there are any: nobody is compared with them.
    """

    default_gate: ClassVar[float]

    def __init__(self, gate_distance: float | None = None, strangers: int | None = None) -> None:
        self.gate_distance = self.default_gate if gate_distance is None else gate_distance
        self.strangers = strangers

    def fit(self, X: Encodings, y: Targets) -> PixelClassifier:
        """Learn from grey faces X, shape (n, pixels), 0 to 255, of people y, shape (n,)."""
        y = np.asarray(y)
        people = np.unique(y)
        pixels = np.clip(np.rint(X), 0, 255).astype(np.uint8)
        self.classes_: npt.NDArray[np.int64] = np.append(people, STRANGER)
        self.n_features_in_ = pixels.shape[1]
        self.enrolled_: npt.NDArray[np.intp] = np.flatnonzero(people != self.strangers)
        order = np.argsort(y, kind="stable")
        order = order[y[order] != self.strangers]
        self.photos_: npt.NDArray[np.uint8] = pixels[order]
        self.first_photo_ = np.searchsorted(y[order], people[self.enrolled_])
        self._features: Features | None = None
        # Strangers are not one person; they only stand in for somebody to tell a single person from.
        learnt = order if len(self.enrolled_) > 1 else np.arange(len(y))
        rows = learnt[_spread_rows(y[learnt], MAX_PHOTOS_LEARNT)]
        self._learn(pixels[rows], y[rows])
        self.slope_, self.offset_ = line_through(self.even_distance, self.gate_distance, GATE_PROBABILITY)
        return self

    @property
    def even_distance(self) -> float:  # type: ignore[override]
        """The distance at which a name is as likely right as wrong."""
        return EVEN_TO_GATE * self.gate_distance

    @property
    def means_(self) -> Encodings:  # type: ignore[override]
        """The mean photo of each person, shape (people, pixels); zeros for strangers."""
        means = np.zeros((len(self.classes_) - 1, self.n_features_in_))
        sums = np.add.reduceat(self.photos_, self.first_photo_, axis=0, dtype=np.float64)
        means[self.enrolled_] = sums / np.diff(np.append(self.first_photo_, len(self.photos_)))[:, None]
        return means

    @property
    def templates_(self) -> Encodings:  # type: ignore[override]
        """The mean photo of each person, of length 1, shape (people, pixels)."""
        return normalise_encodings(self.means_)

    def distances(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Return the distance to the nearest photo of each person, shape (n, people); inf for strangers."""
        found = np.full((len(X), len(self.classes_) - 1), np.inf)
        if len(X):
            pixels = np.clip(np.rint(X), 0, 255).astype(np.uint8)
            apart = self._compare(self._extract(pixels), self._references())
            found[:, self.enrolled_] = np.minimum.reduceat(apart, self.first_photo_, axis=1)
        return found

    def scores(self, X: Encodings) -> TemplateScores:
        """Return scores, shape (n, people), of the nearest photos; the strangers' class has -inf."""
        scores: TemplateScores = -2 * np.log(np.maximum(self.distances(X), 1e-6))
        return scores

    def own_distances(self, X: Encodings, people: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Return each encoding's distance to the nearest photo of one person: (n, d) and (n,) -> (n,)."""
        distances: npt.NDArray[np.float64] = self.distances(X)[np.arange(len(people)), people]
        return distances

    def predict_proba(self, X: Encodings) -> npt.NDArray[np.float64]:
        """Return probabilities, shape (n, people + 1): the nearest person's, 0.9 at the gate; STRANGER's."""
        distances = self.distances(X)
        nearest, rows = distances.argmin(axis=1), np.arange(len(distances))
        p = probability_at_distance(distances[rows, nearest], self.even_distance, self.gate_distance)
        proba = np.zeros((len(p), len(self.classes_)))
        proba[rows, nearest] = p
        proba[:, -1] = 1 - p
        return proba

    def set_gate(self, gate_distance: float) -> None:
        """Name nobody beyond another distance; for one that nobody uses yet."""
        self.gate_distance = gate_distance

    @abstractmethod
    def _learn(self, pixels: npt.NDArray[np.uint8], y: Targets) -> None:
        """Learn what photos, shape (n, pixels), are compared by."""

    @abstractmethod
    def _extract(self, pixels: npt.NDArray[np.uint8]) -> Features:
        """Return what photos, shape (n, pixels), are compared by, shape (n, features)."""

    @abstractmethod
    def _compare(self, features: Features, references: Features) -> npt.NDArray[np.float64]:
        """Return the distances of two sets of features, shapes (n, f) and (m, f), as (n, m)."""

    def _references(self) -> Features:
        # Two threads may both compute them after unpickling; the second copy does no harm.
        if vars(self).get("_features") is None:
            self._features = self._extract(self.photos_)
        assert self._features is not None
        return self._features

    def __getstate__(self) -> dict[str, Any]:
        """Leave the features out of the pickle; they are computed again from the photos."""
        return {name: value for name, value in vars(self).items() if name != "_features"}


class SubspaceClassifier(PixelClassifier):
    """Compares faces by their projections onto a few faces, by Euclidean distance."""

    def _extract(self, pixels: npt.NDArray[np.uint8]) -> Features:
        projections: Features = (pixels.astype(np.float32) - self.mean_) @ self.axes_
        return projections

    def _compare(self, features: Features, references: Features) -> npt.NDArray[np.float64]:
        one, other = features.astype(np.float64), references.astype(np.float64)
        squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
        return np.asarray(np.sqrt(np.maximum(squares, 0.0)))

    def _learn_components(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Learn the mean face and the principal components, as cv2.face does in many times the time.

        The components of n photos come from the (n, n) matrix of their products, not from the one of pixels.
        """
        mean = pixels.mean(axis=0)
        centred = pixels - mean
        variances, mixtures = np.linalg.eigh(centred @ centred.T)
        found = variances > LEAST_VARIANCE * max(float(variances.max()), 1.0)
        self.mean_: npt.NDArray[np.float32] = mean.astype(np.float32)
        axes = centred.T @ (mixtures[:, found] / np.sqrt(variances[found]))
        self.axes_: npt.NDArray[np.float32] = axes.astype(np.float32)


class EigenfacesClassifier(SubspaceClassifier):
    """Eigenfaces (Turk and Pentland, 1991): projections onto the principal components of all photos."""

    default_gate = 4500.0

    def _learn(self, pixels: npt.NDArray[np.uint8], y: Targets) -> None:
        self._learn_components(pixels)


class FisherfacesClassifier(SubspaceClassifier):
    """Fisherfaces (Belhumeur et al., 1997): projections that tell these people apart best."""

    default_gate = 450.0

    def _learn(self, pixels: npt.NDArray[np.uint8], y: Targets) -> None:
        # Here OpenCV learns: its axes are not of length 1, and the customary threshold is one for its axes.
        recogniser = _opencv_face.FisherFaceRecognizer_create()
        recogniser.train([*_as_pictures(pixels)], y.astype(np.int32))
        self.mean_ = recogniser.getMean().ravel().astype(np.float32)
        self.axes_ = recogniser.getEigenVectors().astype(np.float32)
        if not (np.isfinite(self.axes_).all() and self.axes_.any()):
            # Photos of a person that are all the same leave no variance to divide by.
            self._learn_components(pixels)


class LbphClassifier(PixelClassifier):
    """Local binary patterns (Ahonen et al., 2004): histograms of textures in 8 x 8 cells, by chi-square."""

    default_gate = 70.0

    def _learn(self, pixels: npt.NDArray[np.uint8], y: Targets) -> None:
        """There is nothing to learn: each photo has its own histograms."""

    def _extract(self, pixels: npt.NDArray[np.uint8]) -> Features:
        recogniser = _opencv_face.LBPHFaceRecognizer_create()
        recogniser.train([*_as_pictures(pixels)], np.zeros(len(pixels), np.int32))
        return np.vstack(recogniser.getHistograms())

    def _compare(self, features: Features, references: Features) -> npt.NDArray[np.float64]:
        return np.array(
            [
                [cv2.compareHist(one, other, cv2.HISTCMP_CHISQR_ALT) for other in references]
                for one in features
            ]
        ).reshape(len(features), len(references))


class PixelRecipe(UnsearchedRecipe):
    """Fits one of the classic recognisers, at the customary distance until it is calibrated."""

    photos_each = 5
    minimum_people = 2
    classifier: ClassVar[type[PixelClassifier]]
    pairs = 0

    def __init__(self, distances: DistanceThresholds | None = None, strangers: int | None = None) -> None:
        """The distances of an embedder are of no use here; `strangers` is the class of Unknown."""
        self._strangers = strangers

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Fit the classifier; `params` is empty."""
        require_enough_photos(self.name, y, people=self.minimum_people, pairs=self.pairs)
        fitted: Classifier = self.classifier(strangers=self._strangers).fit(X, y)
        return fitted

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Return {} for a classifier of this kind, which has no parameters."""
        return {} if isinstance(classifier, self.classifier) else None


class EigenfacesRecipe(PixelRecipe):
    """Eigenfaces, calibrated with the photos that are enrolled."""

    name = "eigenfaces"
    classifier = EigenfacesClassifier


class FisherfacesRecipe(PixelRecipe):
    """Fisherfaces, calibrated with the photos that are enrolled."""

    name = "fisherfaces"
    classifier = FisherfacesClassifier
    pairs = 1


class LbphRecipe(PixelRecipe):
    """Local binary patterns, calibrated with the photos that are enrolled."""

    name = "lbph"
    classifier = LbphClassifier


class FixedEigenfacesRecipe(EigenfacesRecipe):
    """Eigenfaces that name whoever is nearer than 4500, the customary threshold."""

    name = "eigenfaces_4500"


class FixedFisherfacesRecipe(FisherfacesRecipe):
    """Fisherfaces that name whoever is nearer than 450, the customary threshold."""

    name = "fisherfaces_450"


class FixedLbphRecipe(LbphRecipe):
    """Local binary patterns that name whoever is nearer than 70, the customary threshold."""

    name = "lbph_70"


def _as_pictures(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    side = math.isqrt(pixels.shape[1])
    return np.ascontiguousarray(pixels).reshape(len(pixels), side, side)


def _spread_rows(y: Targets, most: int) -> npt.NDArray[np.intp]:
    """Return at most so many rows, in order: the first photo of each person, then the second, and so on."""
    order = np.argsort(y, kind="stable")
    _, first, counts = np.unique(y[order], return_index=True, return_counts=True)
    rank = np.empty(len(y), np.intp)
    rank[order] = np.arange(len(y)) - np.repeat(first, counts)
    return np.sort(np.argsort(rank, kind="stable")[:most])
