"""What recipes have in common that find their classifier in the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

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


class UnsearchedRecipe(ABC):
    """One candidate, so there is nothing to search for: the photos are the classifier."""

    name: str
    minimum_people = 1
    photos_each = 1
    defaults: Mapping[str, Any] = {}

    @abstractmethod
    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """See search.Recipe."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: SearchProgress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """The classifier; no parameters and no score, since there is only one candidate."""
        fitted = self.refit(X, y, {})
        on_progress(1, 1)
        return fitted, {}, None


class GatedRecipe(ABC):
    """A few candidates behind a distance gate; which makes the best probabilities over the folds."""

    name: str
    minimum_people: int
    defaults: Mapping[str, Any]
    candidates: Sequence[Mapping[str, Any]]

    def __init__(self, geometry: DistanceThresholds = DLIB_DISTANCES) -> None:
        self._distances: Mapping[str, Any] = {
            "even_distance": geometry.even_distance,
            "gate_distance": geometry.gate_distance,
        }

    @abstractmethod
    def _fitted(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """The classifier of these photos, with a column for STRANGER behind the people's."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: SearchProgress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """The candidate with the best probabilities; the default where nobody can be tested."""
        require_enough_photos(self.name, y, people=self.minimum_people, pairs=0)
        if not can_cross_validate(y):
            on_progress(1, 1)
            return self.refit(X, y, self.defaults), dict(self.defaults), None

        def answer(
            params: Mapping[str, Any], train: RowIndices, test: RowIndices, one: HalvingRound
        ) -> PersonScores:
            # Without STRANGER's column: all photos here are of somebody.
            return self._fitted(X[train], y[train], params).predict_proba(X[test])[:, :-1]

        candidates = [dict(candidate) for candidate in self.candidates]
        found = search_by_halving(answer, log_loss, candidates, y, jobs=jobs, on_progress=on_progress)
        return self.refit(X, y, found.params), found.params, found.accuracy

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """The classifier of these photos."""
        require_enough_photos(self.name, y, people=self.minimum_people, pairs=0)
        return self._fitted(X, y, params)


class Recipe(Protocol):
    """How a kind of classifier is made. One class for each, named in the registry."""

    name: str
    minimum_people: int
    photos_each: int
    """Photos a person needs before the classifier dares to name them; below, `nearest` is better."""
    defaults: Mapping[str, Any]
    """Parameters that serve where nobody has searched for better ones."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: SearchProgress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """The best classifier, its parameters and their cross-validated accuracy (None: not searched).

        Raises TooFewPeople if these encodings cannot train this kind.
        """
        ...

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """A classifier with parameters that are known; TooFewPeople as in `search`."""
        ...

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """The parameters of a classifier of this kind that somebody else trained; None if it is not one."""
        ...


def require_enough_photos(name: str, y: Targets, *, people: int, pairs: int) -> None:
    """TooFewPeople unless there are that many people, `pairs` of them with two photos or more."""
    photos = np.unique(y, return_counts=True)[1]
    advice = "add photos of strangers to dataset/Unknown, or train nearest"
    if len(photos) < people:
        raise TooFewPeople(f"{name}: must have photos of {people} people, got {len(photos)}; {advice}")
    with_two = int((photos >= 2).sum())
    if with_two < pairs:
        raise TooFewPeople(
            f"{name}: must have two photos or more of {pairs} people to test itself on, "
            f"got them of {with_two}; {advice}"
        )
