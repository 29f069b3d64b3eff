"""The original's searches, reimplemented from the behaviour of its train.py, on the libraries installed here.

- SVM: GridSearchCV over 42 candidates (6 values of C, linear and with 6 values of gamma) of
  SVC(probability=True, class_weight="balanced"), 5 folds; the best is refitted to all photos.
- XGBoost: RandomizedSearchCV over 20 of 405 candidates, 600 rounds with learning rate .02, 5 folds; the best
  is refitted to all photos.

Two things make this faster than its own script: the processes use all cores of this machine, and XGBoost now
grows its trees from histograms by default. In 2019 it sorted all values, which took four times as long.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.svm import SVC
from xgboost import XGBClassifier

SEED = 1234
VALUES = [0.001, 0.01, 0.1, 1, 10, 100]
TREES = {
    "min_child_weight": [1, 5, 10],
    "gamma": [0.5, 1, 1.5, 2, 5],
    "subsample": [0.6, 0.8, 1.0],
    "colsample_bytree": [0.6, 0.8, 1.0],
    "max_depth": [3, 4, 5],
}

Folds = list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]


def search(
    kind: str, X: npt.NDArray[Any], y: npt.NDArray[Any], splits: Folds, jobs: int, *, quick: bool = False
) -> Any:
    """Return the fitted search; a `quick` one, for a smoke test, has few candidates and trees."""
    # scikit-learn 1.11 removes SVC(probability=True).
    warnings.simplefilter("ignore", FutureWarning)
    if kind == "svm":
        machine = SVC(probability=True, class_weight="balanced", random_state=SEED)
        some = VALUES[-2:] if quick else VALUES
        grid = [{"kernel": ["linear"], "C": some}, {"kernel": ["rbf"], "C": some, "gamma": some}]
        return GridSearchCV(machine, grid, cv=splits, n_jobs=jobs).fit(X, y)
    candidates, rounds = (1, 100) if quick else (20, 600)
    trees = XGBClassifier(
        learning_rate=0.02, n_estimators=rounds, objective="multi:softprob", n_jobs=1, random_state=SEED
    )
    drawn = RandomizedSearchCV(trees, TREES, n_iter=candidates, cv=splits, n_jobs=jobs, random_state=SEED)
    return drawn.fit(X, y)
