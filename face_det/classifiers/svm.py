"""Support vector machines: the original's grid, and probabilities that hold up with few photos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from face_det.classifiers.search import SEED, Progress, Targets, best, folds, require
from face_det.faces import Classifier, Encodings

C = [10.0, 1.0, 100.0, 0.1, 0.01, 0.001]
GAMMA = [1.0, 0.1, 10.0, 0.01, 100.0, 0.001]
GRID = [{"kernel": ["rbf"], "C": C, "gamma": GAMMA}, {"kernel": ["linear"], "C": C}]
"""The original's 42 candidates. With few photos many of them make no mistake: of equals the first
wins, so what serves encodings of faces best stands first."""

QUICK_GRID = [{"kernel": ["rbf"], "C": C[:3], "gamma": GAMMA[:2]}, {"kernel": ["linear"], "C": C[:2]}]

Margins = npt.NDArray[np.float64]


class SvmRecipe:
    """One machine a person, that person against all others, and a sigmoid from margin to probability.

    The machines are one-versus-rest: the votes of one-versus-one lose the margin, and with it the
    difference between somebody known and a stranger who merely resembles them most.

    The sigmoid is Platt's (Probabilistic outputs for support vector machines, 1999), fitted to
    margins of photos that the machine had not seen, over the folds of the search. One sigmoid
    serves all machines: Platt's prior keeps a sigmoid with 5 positives below 6/7, so that one for
    each person would never reach a minProba of 0.9, however clear the photo. People with a single
    photo train the machines but cannot be held out, so they take no part in the calibration.

    What is pickled is a CalibratedClassifierCV, of scikit-learn's classes only.
    SVC(probability=True), which the original pickled, ends with scikit-learn 1.11.
    """

    name = "svm"
    minimum_people = 2
    photos_each = 5
    defaults: Mapping[str, Any] = {"kernel": "rbf", "C": 10.0, "gamma": 1.0}

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: Progress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """Accuracy over the grid, without probabilities; then the best is calibrated."""
        require(self.name, y, people=2, pairs=2)
        candidates = list(ParameterGrid(GRID if thorough else QUICK_GRID))
        params, score = best(_machines, candidates, X, y, jobs=jobs, on_progress=on_progress)
        return self.refit(X, y, params), params, score

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Machines and sigmoid for parameters C, kernel and gamma."""
        require(self.name, y, people=2, pairs=2)
        margins, own = [], []
        for train, test in folds(y):
            machines = _machines(params).fit(X[train], y[train])
            margins.append(_columns(machines.decision_function(X[test])))
            own.append(y[test][:, None] == machines.classes_[None, :])
        slope, offset = _sigmoid(np.concatenate(margins).ravel(), np.concatenate(own).ravel())
        # A calibrator in one go, of the right shape; its own sigmoids are replaced below.
        everything = np.arange(len(y))
        calibrated = CalibratedClassifierCV(
            _machines(params), method="sigmoid", cv=[(everything, everything)], ensemble=False
        ).fit(X, y)
        for calibrator in calibrated.calibrated_classifiers_[0].calibrators:
            calibrator.a_, calibrator.b_ = -slope, -offset
        classifier: Classifier = calibrated.set_params(cv=None)
        return classifier

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """C, kernel and gamma of an SVC, bare as the original's or calibrated."""
        if isinstance(classifier, CalibratedClassifierCV):
            classifier = classifier.estimator
        if isinstance(classifier, OneVsRestClassifier):
            classifier = classifier.estimator
        if not isinstance(classifier, SVC):
            return None
        found = classifier.get_params()
        return {key: found[key] for key in ("C", "kernel", "gamma")}


def _machines(params: Mapping[str, Any]) -> Any:
    return OneVsRestClassifier(SVC(class_weight="balanced", random_state=SEED, **params))


def _columns(margins: Margins) -> Margins:
    """Margins as a column a person; with two people there is one machine, and the other is its opposite."""
    return margins if margins.ndim == 2 else np.column_stack([-margins, margins])


def _sigmoid(margins: Margins, own: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of p = 1 / (1 + exp(-(slope * margin + offset))) by Platt's targets.

    His targets, (n + 1) / (n + 2) and 1 / (n + 2), are each example once as one and once as the
    other class, weighted: so it is a logistic regression without a penalty.
    """
    positive, negative = int(own.sum()), int((~own).sum())
    target = np.where(own, (positive + 1) / (positive + 2), 1 / (negative + 2))
    middle, spread = float(margins.mean()), float(margins.std()) or 1.0
    scaled = np.tile((margins - middle) / spread, 2)[:, None]
    sides = np.repeat([1, 0], len(margins))
    fitted = LogisticRegression(C=1e9, solver="newton-cholesky").fit(
        scaled, sides, sample_weight=np.concatenate([target, 1 - target])
    )
    # A falling sigmoid would turn every answer round: margins that say nothing get a flat one.
    slope = max(float(fitted.coef_[0, 0]), 1e-6) / spread
    return slope, float(fitted.intercept_[0]) - slope * middle
