"""What the recipes share: what each must do, and fair folds.

A fold is fair here if a person with few photos neither stops the training nor weakens it for the
others: everybody is in every training part, and whoever has one photo is in no test part.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

TRAINING_SEED = 1234
"""The original's: the same photos give the same classifier."""

FOLDS = 5

Targets = npt.NDArray[np.int64]
"""People as numbers 0..n-1, one for each encoding."""

RowIndices = npt.NDArray[np.intp]


def split_folds(y: Targets, wanted: int = FOLDS) -> list[tuple[RowIndices, RowIndices]]:
    """(training rows, test rows) of a stratified, shuffled split; at least one person has two photos.

    With `wanted` photos or more of everybody it is scikit-learn's StratifiedKFold. Somebody with
    fewer is tested in as many folds as they have photos; somebody with one only is in no test part.
    """
    _, inverse, photos = np.unique(y, return_inverse=True, return_counts=True)
    testable = np.flatnonzero(photos[inverse] >= 2)
    splits = min(wanted, int(photos.max()))
    # StratifiedKFold would warn of people with fewer photos than folds: theirs are dealt here,
    # person by person, so that no two of somebody's fall into one fold.
    enough = np.flatnonzero(photos[inverse] >= splits)
    fold_of = np.full(len(y), -1)
    splitter = StratifiedKFold(splits, shuffle=True, random_state=TRAINING_SEED)
    for fold, (_, test) in enumerate(splitter.split(enough, inverse[enough])):
        fold_of[enough[test]] = fold
    few = np.setdiff1d(testable, enough)
    by_person = few[np.argsort(inverse[few], kind="stable")]
    fold_of[by_person] = np.arange(len(by_person)) % splits
    everything = np.arange(len(y))
    return [(everything[fold_of != fold], everything[fold_of == fold]) for fold in range(splits)]


def can_cross_validate(y: Targets) -> bool:
    """Whether anybody has a second photo, to be tested with."""
    return int(np.unique(y, return_counts=True)[1].max(initial=0)) >= 2
