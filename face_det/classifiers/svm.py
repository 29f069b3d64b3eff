"""Support vector machines: the original's grid, with probabilities that hold up with few photos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import expit  # type: ignore[import-untyped]
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.model_selection import ParameterGrid
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from face_det.classifiers.folds import TRAINING_SEED, RowIndices, Targets, split_folds
from face_det.classifiers.halving import (
    HalvingRound,
    OwnPersonMask,
    PersonScores,
    SearchProgress,
    search_by_halving,
)
from face_det.classifiers.recipe import SearchResult, require_enough_photos
from face_det.embedders import DLIB_DISTANCES, DistanceThresholds
from face_det.types import Classifier, Encodings

C_VALUES = [10.0, 1.0, 100.0, 0.1, 0.01, 0.001]
GAMMA_VALUES = [1.0, 0.1, 10.0, 0.01, 100.0, 0.001]
SVM_GRID = [{"kernel": ["rbf"], "C": C_VALUES, "gamma": GAMMA_VALUES}, {"kernel": ["linear"], "C": C_VALUES}]
"""The original's 42 candidates, ordered so that what usually suits face encodings best comes first."""

MAX_SHARED_KERNEL_PHOTOS = 5000
"""Up to this many photos, all SVMs share one kernel matrix: 200 MB for each thread."""

SVM_QUICK_GRID = [
    {"kernel": ["rbf"], "C": C_VALUES[:3], "gamma": GAMMA_VALUES[:2]},
    {"kernel": ["linear"], "C": C_VALUES[:2]},
]


class SvmRecipe:
    """One SVM for each person against everybody else, and a sigmoid that turns margins into probabilities.

    The SVMs are one-versus-rest: one-versus-one voting discards the margin, and with it the difference
    between somebody enrolled and a stranger who merely resembles them most.

    The sigmoid is Platt's (Probabilistic outputs for support vector machines, 1999), fitted to the margins
    of photos that the SVM had not seen, over the folds of the search. One sigmoid serves all SVMs: Platt's
    prior keeps a sigmoid with 5 positives below 6/7, so a sigmoid for each person would never reach a
    minProba of 0.9, however clear the photo. People with a single photo train the SVMs but cannot be held
    out, so they take no part in the calibration.

    The pickle holds a CalibratedClassifierCV of scikit-learn's own classes only. The original pickled
    SVC(probability=True), which scikit-learn 1.11 removes.
    """

    name = "svm"
    minimum_people = 2
    photos_each = 5
    defaults: Mapping[str, Any] = {"kernel": "rbf", "C": 10.0, "gamma": 1.0}

    def __init__(self, distances: DistanceThresholds = DLIB_DISTANCES) -> None:
        """Take `distances` as every recipe does, and ignore them: SVMs find their own."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: SearchProgress
    ) -> SearchResult:
        """Search the grid for the best calibrated probabilities; see Recipe.search."""
        require_enough_photos(self.name, y, people=2, pairs=2)

        def fit_and_score(
            params: Mapping[str, Any], train: RowIndices, test: RowIndices, one: HalvingRound
        ) -> PersonScores:
            return _held_out_margins(params, X, y, train, test)

        found = search_by_halving(
            fit_and_score,
            lambda margins, own: _fit_sigmoid(margins, own)[2],
            list(ParameterGrid(SVM_GRID if thorough else SVM_QUICK_GRID)),
            y,
            jobs=jobs,
            on_progress=on_progress,
            rounds=_halving_rounds(len(y)) if thorough else (HalvingRound(),),
        )
        return SearchResult(_fit_calibrated(found.params, X, y, found.scores), found.params, found.accuracy)

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Fit SVMs and sigmoid with the parameters C, kernel and gamma; see Recipe.refit."""
        require_enough_photos(self.name, y, people=2, pairs=2)
        margins = [_held_out_margins(params, X, y, train, test) for train, test in split_folds(y)]
        return _fit_calibrated(params, X, y, np.concatenate(margins))

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """Read C, kernel and gamma off an SVC, bare as the original's or calibrated."""
        if isinstance(classifier, CalibratedClassifierCV):
            classifier = classifier.estimator
        if isinstance(classifier, OneVsRestClassifier):
            classifier = classifier.estimator
        if not isinstance(classifier, SVC):
            return None
        params = classifier.get_params()
        return {key: params[key] for key in ("C", "kernel", "gamma")}


def _halving_rounds(photos: int) -> list[HalvingRound]:
    """Let few candidates see all photos: an SVM's work grows with their square."""
    if photos > 2700:
        return [
            HalvingRound(kept=14, folds=3, photos=600),
            HalvingRound(kept=4, folds=3, photos=1800),
            HalvingRound(),
        ]
    first = HalvingRound(kept=6, folds=3, photos=600) if photos > 900 else HalvingRound(kept=14, folds=2)
    return [first, HalvingRound()]


def _fit_calibrated(params: Mapping[str, Any], X: Encodings, y: Targets, margins: PersonScores) -> Classifier:
    """Fit the classifier; `margins` are those of photos held out by split_folds(y), fold after fold."""
    own = np.concatenate([y[test] for _, test in split_folds(y)])[:, None] == np.unique(y)[None, :]
    slope, offset, _ = _fit_sigmoid(margins, own)
    # This fit only builds a calibrator of the right shape; its own sigmoids are replaced below.
    everything = np.arange(len(y))
    calibrated = CalibratedClassifierCV(
        OneVsRestClassifier(_make_svc(params)),
        method="sigmoid",
        cv=[(everything, everything)],
        ensemble=False,
    ).fit(X, y)
    for calibrator in calibrated.calibrated_classifiers_[0].calibrators:
        calibrator.a_, calibrator.b_ = -slope, -offset
    classifier: Classifier = calibrated.set_params(cv=None)
    return classifier


def _make_svc(params: Mapping[str, Any]) -> Any:
    return SVC(class_weight="balanced", random_state=TRAINING_SEED, **params)


def _held_out_margins(
    params: Mapping[str, Any], X: Encodings, y: Targets, train: RowIndices, test: RowIndices
) -> PersonScores:
    """Train on some rows and return the margins of others, with one column per person.

    OneVsRestClassifier does the same, but empties this process's warning filters, which threads share, to
    carry warnings over to other processes. Two people need one SVM: the other's margins are the opposite.
    """
    train_input, test_input, people = X[train], X[test], np.unique(y[train])
    if len(train) <= MAX_SHARED_KERNEL_PHOTOS:
        # Computed once for all SVMs; most of an SVM's time would go into it.
        gamma = params.get("gamma")
        train_input, test_input = (
            (linear_kernel(some, train_input) if gamma is None else rbf_kernel(some, train_input, gamma))
            for some in (train_input, test_input)
        )
        params = {"kernel": "precomputed", "C": params["C"]}
    machines = [
        _make_svc(params).fit(train_input, y[train] == person) for person in people[len(people) == 2 :]
    ]
    margins = np.column_stack([machine.decision_function(test_input) for machine in machines])
    return margins if len(people) > 2 else np.column_stack([-margins, margins])


def _fit_sigmoid(margins: PersonScores, own: OwnPersonMask) -> tuple[float, float, float]:
    """Fit p = 1 / (1 + exp(-(slope * margin + offset))); returns slope, offset and mean log loss.

    The targets are Platt's: (n + 1) / (n + 2) for the n margins of the right person, 1 / (m + 2) for the m
    others. A falling sigmoid would reverse every answer, so the slope stays positive.
    """
    m, n = int((~own).sum()), int(own.sum())
    target = np.where(own, (n + 1) / (n + 2), 1 / (m + 2)).ravel()
    middle, spread = float(margins.mean()), float(margins.std()) or 1.0
    scaled = (margins.ravel() - middle) / spread

    def loss(line: PersonScores) -> tuple[float, PersonScores]:
        z = line[0] * scaled + line[1]
        excess = expit(z) - target
        return float(np.mean(np.logaddexp(0, z) - target * z)), np.array(
            [excess @ scaled, excess.sum()]
        ) / len(z)

    found = minimize(
        loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(1e-6, None), (None, None)]
    )
    slope = float(found.x[0]) / spread
    return slope, float(found.x[1]) - slope * middle, float(found.fun)
