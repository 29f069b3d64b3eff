"""Boosted trees: a random search like the original's, over trees that grow faster."""

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
from face_det.classifiers.recipe import SearchResult, require_enough_photos
from face_det.embedders import DLIB_DISTANCES, DistanceThresholds
from face_det.types import Classifier, Encodings

SEARCH_SPACE = {
    "min_child_weight": [1, 5, 10],
    "gamma": [0.5, 1, 1.5, 2, 5],
    "subsample": [0.6, 0.8, 1.0],
    "colsample_bytree": [0.1, 0.15, 0.3],
    "max_depth": [3, 4, 5],
}
"""The original's space, of which it tried 20 candidates, except for colsample_bytree: of its .6, .8 and 1,
the smallest was best, and smaller shares of an encoding's numbers are better still and less work."""

THOROUGH_PACE = {"learning_rate": 0.06, "n_estimators": 200, "max_bin": 16}
QUICK_PACE = {"learning_rate": 0.1, "n_estimators": 120, "max_bin": 16}
"""The original took 600 steps of .02, with a threshold between any two values. 16 bins are enough, because
the numbers of an encoding are noisy to begin with."""

HALVING_ROUNDS = (HalvingRound(kept=6, folds=2, effort=0.25), HalvingRound())

SEARCHED_PARAMS = (*SEARCH_SPACE, *THOROUGH_PACE)


class XgbRecipe:
    """XGBoost with a softmax objective. The pickle holds the XGBClassifier itself, as the original's does."""

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

    def __init__(self, distances: DistanceThresholds = DLIB_DISTANCES) -> None:
        """Take `distances` as every recipe does, and ignore them: trees find their own."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: SearchProgress
    ) -> SearchResult:
        """Try 20 candidates drawn with a fixed seed, or 3 and the defaults if not thorough."""
        require_enough_photos(self.name, y, people=2, pairs=2)
        pace, count = (THOROUGH_PACE, 20) if thorough else (QUICK_PACE, 3)
        drawn = ParameterSampler(SEARCH_SPACE, count, random_state=TRAINING_SEED)
        candidates = [{**candidate, **pace} for candidate in drawn]
        if not thorough:
            candidates.insert(0, dict(self.defaults))
        people = len(np.unique(y))

        def fit_and_score(
            params: Mapping[str, Any], train: RowIndices, test: RowIndices, one: HalvingRound
        ) -> PersonScores:
            trees = _make_trees(_with_fewer_steps(params, one.effort), people).fit(X[train], y[train])
            proba: PersonScores = trees.predict_proba(X[test])
            return proba

        found = search_by_halving(
            fit_and_score,
            log_loss,
            candidates,
            y,
            jobs=jobs,
            on_progress=on_progress,
            rounds=HALVING_ROUNDS if thorough else HALVING_ROUNDS[1:],
        )
        return SearchResult(self.refit(X, y, found.params), found.params, found.accuracy)

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Fit trees with known parameters; see Recipe.refit."""
        require_enough_photos(self.name, y, people=2, pairs=0)
        fitted: Classifier = _make_trees(params, len(np.unique(y))).fit(X, y)
        return fitted

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Read the searched parameters off an XGBClassifier."""
        if not isinstance(classifier, XGBClassifier):
            return None
        params = classifier.get_params()
        return {key: params[key] for key in SEARCHED_PARAMS if params[key] is not None}


def _with_fewer_steps(params: Mapping[str, Any], effort: float) -> dict[str, Any]:
    """Cover the same distance in fewer and longer steps."""
    steps = max(1, round(params["n_estimators"] * effort))
    return {**params, "n_estimators": steps, "learning_rate": params["learning_rate"] / effort}


def _make_trees(params: Mapping[str, Any], people: int) -> XGBClassifier:
    return XGBClassifier(
        # XGBoost needs a separate objective for two classes; predict_proba still returns two columns.
        objective="multi:softprob" if people > 2 else "binary:logistic",
        tree_method="hist",
        random_state=TRAINING_SEED,
        # The search fits several at once, and in the daemon the other cores have other work.
        n_jobs=1,
        verbosity=0,
        **params,
    )
