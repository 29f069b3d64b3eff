"""Boosted trees: the original's random search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterSampler
from xgboost import XGBClassifier

from face_det.classifiers.search import SEED, Columns, Own, Progress, Targets, best, require
from face_det.faces import Classifier, Encodings

SPACE = {
    "min_child_weight": [1, 5, 10],
    "gamma": [0.5, 1, 1.5, 2, 5],
    "subsample": [0.6, 0.8, 1.0],
    "colsample_bytree": [0.6, 0.8, 1.0],
    "max_depth": [3, 4, 5],
}
"""The original's, of which it tried 20 candidates."""

THOROUGH = {"learning_rate": 0.02, "n_estimators": 600}
QUICK = {"learning_rate": 0.1, "n_estimators": 120}
"""The same way in a fifth of the steps."""

SEARCHED = (*SPACE, *THOROUGH)


class XgbRecipe:
    """XGBoost over a softmax. What is pickled is the XGBClassifier itself, as the original's."""

    name = "xgb"
    minimum_people = 2
    photos_each = 20
    defaults: Mapping[str, Any] = {
        "min_child_weight": 1,
        "gamma": 0.5,
        "subsample": 0.8,
        "colsample_bytree": 0.6,
        "max_depth": 3,
        **QUICK,
    }

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: Progress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """20 candidates, drawn with a fixed seed; in a search that is not thorough 3, and the defaults."""
        require(self.name, y, people=2, pairs=2)
        pace, count = (THOROUGH, 20) if thorough else (QUICK, 3)
        drawn = ParameterSampler(SPACE, count, random_state=SEED)
        candidates = [{**candidate, **pace} for candidate in drawn]
        if not thorough:
            candidates.insert(0, dict(self.defaults))

        people = len(np.unique(y))

        def answer(params: Mapping[str, Any], X: Encodings, y: Targets, asked: Encodings) -> Columns:
            proba: Columns = _trees(params, people).fit(X, y).predict_proba(asked)
            return proba

        params, accuracy = best(answer, _log_loss, candidates, X, y, jobs=jobs, on_progress=on_progress)
        return self.refit(X, y, params), params, accuracy

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Trees for parameters that are known."""
        require(self.name, y, people=2, pairs=0)
        fitted: Classifier = _trees(params, len(np.unique(y))).fit(X, y)
        return fitted

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """The parameters that the search is about."""
        if not isinstance(classifier, XGBClassifier):
            return None
        found = classifier.get_params()
        return {key: found[key] for key in SEARCHED if found[key] is not None}


def _log_loss(proba: Columns, own: Own) -> float:
    return float(-np.log(np.maximum(proba[own], 1e-12)).mean())


def _trees(params: Mapping[str, Any], people: int) -> XGBClassifier:
    return XGBClassifier(
        # XGBoost wants its own objective for two classes; predict_proba has two columns all the same.
        objective="multi:softprob" if people > 2 else "binary:logistic",
        tree_method="hist",
        random_state=SEED,
        # The search runs several at once, and the daemon has other work for the other cores.
        n_jobs=1,
        verbosity=0,
        **params,
    )
