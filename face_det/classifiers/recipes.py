"""What recipes have in common that find their classifier in the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from face_det.classifiers.race import Round, best
from face_det.classifiers.search import Columns, Progress, Rows, Targets, log_loss, require, testable
from face_det.faces import Classifier, Encodings
from face_det.geometry import GEOMETRY, Geometry


class Unsearched(ABC):
    """One candidate, so there is nothing to search for: the photos are the classifier."""

    name: str
    minimum_people = 1
    photos_each = 1
    defaults: Mapping[str, Any] = {}

    @abstractmethod
    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """See search.Recipe."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: Progress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """The classifier; no parameters and no score, since there is only one candidate."""
        fitted = self.refit(X, y, {})
        on_progress(1, 1)
        return fitted, {}, None


class Gated(ABC):
    """A few candidates behind a distance gate; which makes the best probabilities over the folds."""

    name: str
    minimum_people: int
    defaults: Mapping[str, Any]
    candidates: Sequence[Mapping[str, Any]]

    def __init__(self, geometry: Geometry = GEOMETRY["dlib_resnet"]) -> None:
        self._distances: Mapping[str, Any] = {
            "even_distance": geometry.even_distance,
            "gate_distance": geometry.gate_distance,
        }

    @abstractmethod
    def _fitted(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """The classifier of these photos, with a column for STRANGER behind the people's."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: Progress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """The candidate with the best probabilities; the default where nobody can be tested."""
        require(self.name, y, people=self.minimum_people, pairs=0)
        if not testable(y):
            on_progress(1, 1)
            return self.refit(X, y, self.defaults), dict(self.defaults), None

        def answer(params: Mapping[str, Any], train: Rows, test: Rows, one: Round) -> Columns:
            # Without STRANGER's column: all photos here are of somebody.
            return self._fitted(X[train], y[train], params).predict_proba(X[test])[:, :-1]

        candidates = [dict(candidate) for candidate in self.candidates]
        found = best(answer, log_loss, candidates, y, jobs=jobs, on_progress=on_progress)
        return self.refit(X, y, found.params), found.params, found.accuracy

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """The classifier of these photos."""
        require(self.name, y, people=self.minimum_people, pairs=0)
        return self._fitted(X, y, params)
