"""Recipes for classifiers: what each must do, and the two ways in which they find the classifier.

A recipe makes one kind of classifier: it searches for parameters, or fits with known parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from face_det.classifiers.folds import RowIndices, Targets, can_cross_validate
from face_det.classifiers.halving import (
    HalvingRound,
    PersonScores,
    SearchProgress,
    log_loss,
    search_by_halving,
)
from face_det.embedders import DLIB_DISTANCES, DistanceThresholds
from face_det.errors import TooFewPeople
from face_det.types import Classifier, Encodings


class SearchResult(NamedTuple):
    """The best classifier, its parameters, and their accuracy in cross-validation."""

    classifier: Classifier
    params: dict[str, Any]
    accuracy: float | None
    """None if there was nothing to search for."""


class Recipe(Protocol):
    """How one kind of classifier is made; the menu of classifiers names one class for each kind."""

    name: str
    minimum_people: int
    photos_each: int
    """Photos that each person needs before this kind beats `nearest`."""
    defaults: Mapping[str, Any]
    """Parameters to use when no search has found better ones."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: SearchProgress
    ) -> SearchResult:
        """Find the best classifier of encodings X, shape (n, d), of people y, shape (n,).

        Raises TooFewPeople if these encodings cannot train this kind.
        """
        ...

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Fit a classifier with known parameters; raises TooFewPeople as `search` does."""
        ...

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Read the parameters off a classifier trained elsewhere; None if it is not of this kind."""
        ...


def require_enough_photos(name: str, y: Targets, *, people: int, pairs: int) -> None:
    """Raise TooFewPeople unless y has enough people, and enough of them with two photos or more.

    `people` is how many the recipe `name` needs, `pairs` how many of them need a second photo.

    >>> require_enough_photos("svm", np.array([0, 0, 1]), people=2, pairs=1)
    >>> require_enough_photos("svm", np.array([0, 0]), people=2, pairs=0)
    Traceback (most recent call last):
    face_det.errors.TooFewPeople: svm: must have photos of 2 people, got 1; add photos of strangers to \
dataset/Unknown, or train nearest
    >>> require_enough_photos("svm", np.array([0, 0, 1]), people=2, pairs=2)
    Traceback (most recent call last):
    face_det.errors.TooFewPeople: svm: must have two or more photos of 2 people, because some are held out \
to test it, but has them of 1; add photos of strangers to dataset/Unknown, or train nearest
    """
    photos = np.unique(y, return_counts=True)[1]
    advice = "add photos of strangers to dataset/Unknown, or train nearest"
    if len(photos) < people:
        raise TooFewPeople(f"{name}: must have photos of {people} people, got {len(photos)}; {advice}")
    with_two = int((photos >= 2).sum())
    if with_two < pairs:
        raise TooFewPeople(
            f"{name}: must have two or more photos of {pairs} people, because some are held out to test it, "
            f"but has them of {with_two}; {advice}"
        )


class UnsearchedRecipe(ABC):
    """A recipe without parameters: there is one candidate, so there is nothing to search for."""

    name: str
    minimum_people = 1
    photos_each = 1
    defaults: Mapping[str, Any] = {}

    @abstractmethod
    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """See Recipe.refit."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: SearchProgress
    ) -> SearchResult:
        """Fit the only candidate; it has no parameters and no accuracy."""
        fitted = self.refit(X, y, {})
        on_progress(1, 1)
        return SearchResult(fitted, {}, None)


class GatedRecipe(ABC):
    """A recipe with a few candidates behind a distance gate; the best probabilities over the folds win."""

    name: str
    minimum_people: int
    defaults: Mapping[str, Any]
    candidates: Sequence[Mapping[str, Any]]

    def __init__(self, distances: DistanceThresholds = DLIB_DISTANCES) -> None:
        self._distances: Mapping[str, Any] = {
            "even_distance": distances.even_distance,
            "gate_distance": distances.gate_distance,
        }

    @abstractmethod
    def _fit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Fit a classifier whose last column, after the people, is STRANGER's."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: SearchProgress
    ) -> SearchResult:
        """Find the candidate with the best probabilities; the defaults if nobody has a second photo."""
        require_enough_photos(self.name, y, people=self.minimum_people, pairs=0)
        if not can_cross_validate(y):
            on_progress(1, 1)
            return SearchResult(self.refit(X, y, self.defaults), dict(self.defaults), None)

        def fit_and_score(
            params: Mapping[str, Any], train: RowIndices, test: RowIndices, one: HalvingRound
        ) -> PersonScores:
            # Every photo here shows somebody enrolled, so STRANGER's column is dropped.
            return self._fit(X[train], y[train], params).predict_proba(X[test])[:, :-1]

        candidates = [dict(candidate) for candidate in self.candidates]
        found = search_by_halving(fit_and_score, log_loss, candidates, y, jobs=jobs, on_progress=on_progress)
        return SearchResult(self.refit(X, y, found.params), found.params, found.accuracy)

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """See Recipe.refit."""
        require_enough_photos(self.name, y, people=self.minimum_people, pairs=0)
        return self._fit(X, y, params)
