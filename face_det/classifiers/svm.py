"""Support vector machines: the original's grid, and probabilities that hold up with few photos."""

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
from face_det.classifiers.recipe import require_enough_photos
from face_det.embedders import DLIB_DISTANCES, DistanceThresholds
from face_det.types import Classifier, Encodings

C_VALUES = [10.0, 1.0, 100.0, 0.1, 0.01, 0.001]
GAMMA_VALUES = [1.0, 0.1, 10.0, 0.01, 100.0, 0.001]
SVM_GRID = [{"kernel": ["rbf"], "C": C_VALUES, "gamma": GAMMA_VALUES}, {"kernel": ["linear"], "C": C_VALUES}]
"""The original's 42 candidates; what mostly serves encodings of faces best stands first."""

MAX_SHARED_KERNEL_PHOTOS = 5000
"""Photos up to which a kernel's values are kept for all machines: 200 MB for each thread."""

SVM_QUICK_GRID = [
    {"kernel": ["rbf"], "C": C_VALUES[:3], "gamma": GAMMA_VALUES[:2]},
    {"kernel": ["linear"], "C": C_VALUES[:2]},
]


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

    def __init__(self, geometry: DistanceThresholds = DLIB_DISTANCES) -> None:
        """The machines find their own distances: `geometry` is what every recipe takes."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: SearchProgress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """The margins of the candidates over the folds, and which of them make the best answers."""
        require_enough_photos(self.name, y, people=2, pairs=2)

        def answer(
            params: Mapping[str, Any], train: RowIndices, test: RowIndices, one: HalvingRound
        ) -> PersonScores:
            return _held_out_margins(params, X, y, train, test)

        found = search_by_halving(
            answer,
            lambda margins, own: _fit_sigmoid(margins, own)[2],
            list(ParameterGrid(SVM_GRID if thorough else SVM_QUICK_GRID)),
            y,
            jobs=jobs,
            on_progress=on_progress,
            rounds=_halving_rounds(len(y)) if thorough else (HalvingRound(),),
        )
        return _fit_calibrated(found.params, X, y, found.answers), found.params, found.accuracy

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """Machines and sigmoid for parameters C, kernel and gamma."""
        require_enough_photos(self.name, y, people=2, pairs=2)
        margins = [_held_out_margins(params, X, y, train, test) for train, test in split_folds(y)]
        return _fit_calibrated(params, X, y, np.concatenate(margins))

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


def _halving_rounds(photos: int) -> list[HalvingRound]:
    """Few candidates see all photos: a machine's work grows with their square."""
    if photos > 2700:
        return [
            HalvingRound(kept=14, folds=3, photos=600),
            HalvingRound(kept=4, folds=3, photos=1800),
            HalvingRound(),
        ]
    return [
        HalvingRound(kept=6, folds=3, photos=600) if photos > 900 else HalvingRound(kept=14, folds=2),
        HalvingRound(),
    ]


def _fit_calibrated(params: Mapping[str, Any], X: Encodings, y: Targets, margins: PersonScores) -> Classifier:
    """The classifier; `margins` are those of the held-out photos of folds(y), one fold after the other."""
    own = np.concatenate([y[test] for _, test in split_folds(y)])[:, None] == np.unique(y)[None, :]
    slope, offset, _ = _fit_sigmoid(margins, own)
    # A calibrator in one go, of the right shape; its own sigmoids are replaced below.
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
    """Margins of photos that were not trained on, a column a person.

    What OneVsRestClassifier does, without its way of carrying warnings over to other processes:
    that empties the filters of this one, which threads share. Two people need one machine, and
    the other's margins are the opposite.
    """
    known, asked, people = X[train], X[test], np.unique(y[train])
    if len(train) <= MAX_SHARED_KERNEL_PHOTOS:
        # Worked out once for all machines: most of a machine's time would go into it.
        gamma = params.get("gamma")
        known, asked = (
            (linear_kernel(some, known) if gamma is None else rbf_kernel(some, known, gamma))
            for some in (known, asked)
        )
        params = {"kernel": "precomputed", "C": params["C"]}
    machines = [_make_svc(params).fit(known, y[train] == person) for person in people[len(people) == 2 :]]
    margins = np.column_stack([machine.decision_function(asked) for machine in machines])
    return margins if len(people) > 2 else np.column_stack([-margins, margins])


def _fit_sigmoid(margins: PersonScores, own: OwnPersonMask) -> tuple[float, float, float]:
    """Slope and offset of p = 1 / (1 + exp(-(slope * margin + offset))), and the mean log loss.

    By Platt's targets, (n + 1) / (n + 2) for the n margins that are somebody's own, 1 / (m + 2) for
    the m others. A falling sigmoid would turn every answer round: one that should, is flat.
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
