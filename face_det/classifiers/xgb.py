"""Boosted trees: a random search as the original's, over trees that are grown faster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterSampler
from xgboost import XGBClassifier

from face_det.classifiers.folds import TRAINING_SEED, RowIndices, Targets
from face_det.classifiers.halving import (
    HalvingRound,
    PersonScores,
    SearchProgress,
    log_loss,
    search_by_halving,
)
from face_det.classifiers.recipe import require_enough_photos
from face_det.embedders import DLIB_DISTANCES, DistanceThresholds
from face_det.types import Classifier, Encodings

SEARCH_SPACE = {
    "min_child_weight": [1, 5, 10],
    "gamma": [0.5, 1, 1.5, 2, 5],
    "subsample": [0.6, 0.8, 1.0],
    "colsample_bytree": [0.1, 0.15, 0.3],
    "max_depth": [3, 4, 5],
}
"""The original's, of which it tried 20 candidates, but for the share of an encoding's numbers that a
tree may look at: of .6, .8 and 1 the least was best, and less is better still, and less work."""

THOROUGH_PACE = {"learning_rate": 0.06, "n_estimators": 200, "max_bin": 16}
QUICK_PACE = {"learning_rate": 0.1, "n_estimators": 120, "max_bin": 16}
"""The original took 600 steps of .02 with thresholds between any two values; 16 will do, for an encoding's
numbers are noise to begin with."""

HALVING_ROUNDS = (HalvingRound(kept=6, folds=2, effort=0.25), HalvingRound())

SEARCHED_PARAMS = (*SEARCH_SPACE, *THOROUGH_PACE)


class XgbRecipe:
    """XGBoost over a softmax. What is pickled is the XGBClassifier itself, as the original's."""

    name = "xgb"
    minimum_people = 2
    photos_each = 20
    defaults: Mapping[str, Any] = {
        "min_child_weight": 1,
        "gamma": 0.5,
        "subsample": 0.6,
        "colsample_bytree": 0.15,
        "max_depth": 4,
        **QUICK_PACE,
    }

    def __init__(self, geometry: DistanceThresholds = DLIB_DISTANCES) -> None:
        """Trees find their own distances: `geometry` is what every recipe takes."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: SearchProgress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """20 candidates, drawn with a fixed seed; in a search that is not thorough 3, and the defaults."""
        require_enough_photos(self.name, y, people=2, pairs=2)
        pace, count = (THOROUGH_PACE, 20) if thorough else (QUICK_PACE, 3)
        drawn = ParameterSampler(SEARCH_SPACE, count, random_state=TRAINING_SEED)
        candidates = [{**candidate, **pace} for candidate in drawn]
        if not thorough:
            candidates.insert(0, dict(self.defaults))
        people = len(np.unique(y))

        def answer(
            params: Mapping[str, Any], train: RowIndices, test: RowIndices, one: HalvingRound
        ) -> PersonScores:
            trees = _make_trees(_with_fewer_steps(params, one.effort), people).fit(X[train], y[train])
            proba: PersonScores = trees.predict_proba(X[test])
            return proba

        found = search_by_halving(
            answer,
            log_loss,
            candidates,
            y,
            jobs=jobs,
            on_progress=on_progress,
            rounds=HALVING_ROUNDS if thorough else HALVING_ROUNDS[1:],
        )
        return self.refit(X, y, found.params), found.params, found.accuracy

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Trees for parameters that are known."""
        require_enough_photos(self.name, y, people=2, pairs=0)
        fitted: Classifier = _make_trees(params, len(np.unique(y))).fit(X, y)
        return fitted

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """The parameters that the search is about."""
        if not isinstance(classifier, XGBClassifier):
            return None
        found = classifier.get_params()
        return {key: found[key] for key in SEARCHED_PARAMS if found[key] is not None}


def _with_fewer_steps(params: Mapping[str, Any], effort: float) -> dict[str, Any]:
    """The same way in fewer and longer steps."""
    steps = max(1, round(params["n_estimators"] * effort))
    return {**params, "n_estimators": steps, "learning_rate": params["learning_rate"] / effort}


def _make_trees(params: Mapping[str, Any], people: int) -> XGBClassifier:
    return XGBClassifier(
        # XGBoost wants its own objective for two classes; predict_proba has two columns all the same.
        objective="multi:softprob" if people > 2 else "binary:logistic",
        tree_method="hist",
        random_state=TRAINING_SEED,
        # The search runs several at once, and the daemon has other work for the other cores.
        n_jobs=1,
        verbosity=0,
        **params,
    )
