"""The original's searches, written anew from what its train.py does, on the libraries installed here.

- SVM: GridSearchCV over 42 candidates (6 values of C, linear and with 6 values of gamma) of
  SVC(probability=True, class_weight="balanced"), 5 folds, the best fitted to everything again.
- XGBoost: RandomizedSearchCV over 20 candidates out of 405, 600 rounds of .02 each, 5 folds, likewise.

Two things are kinder to it than its own script: the processes share this machine's cores, however many
there are, and XGBoost grows its trees by histograms, which it takes for granted by now; in 2019 it
sorted all values, and took four times as long.
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
    kind: str, X: npt.NDArray[Any], y: npt.NDArray[Any], splits: Folds, jobs: int, candidates: int
) -> Any:
    """The fitted search; `candidates` is for XGBoost, which the original gave 20."""
    # Of SVC: probability=True goes with scikit-learn 1.11.
    warnings.simplefilter("ignore", FutureWarning)
    if kind == "svm":
        machine = SVC(probability=True, class_weight="balanced", random_state=SEED)
        grid = [{"kernel": ["linear"], "C": VALUES}, {"kernel": ["rbf"], "C": VALUES, "gamma": VALUES}]
        return GridSearchCV(machine, grid, cv=splits, n_jobs=jobs).fit(X, y)
    trees = XGBClassifier(
        learning_rate=0.02, n_estimators=600, objective="multi:softprob", n_jobs=1, random_state=SEED
    )
    drawn = RandomizedSearchCV(trees, TREES, n_iter=candidates, cv=splits, n_jobs=jobs, random_state=SEED)
    return drawn.fit(X, y)
