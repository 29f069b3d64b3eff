"""Makes cross-validation folds that stay fair when somebody has only one or two photos.

Fair means that a person with few photos neither stops the training nor weakens it for the others: everybody
is in every training part, and a person with a single photo is in no test part.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TRAINING_SEED = 1234
"""The original's seed: the same photos give the same classifier."""

FOLDS = 5

Targets = npt.NDArray[np.int64]
"""The person of each encoding, as a number from 0 to people - 1; shape (n,)."""

RowIndices = npt.NDArray[np.intp]
"""Row numbers of an array of encodings, shape (m,)."""


def split_folds(y: Targets, wanted: int = FOLDS) -> list[tuple[RowIndices, RowIndices]]:
    """Split photos into stratified, shuffled folds.

    `y`, shape (n,), says whose each photo is; at least one person must have two photos. Returns
    (training rows, test rows) for each fold: `wanted` of them, or as many as the largest person has photos.

    If everybody has `wanted` photos or more, this is scikit-learn's StratifiedKFold. A person with fewer is
    tested in as many folds as they have photos; a person with one photo is never tested.

    >>> [(train.tolist(), test.tolist()) for train, test in split_folds(np.array([0, 0, 1]))]
    [([1, 2], [0]), ([0, 2], [1])]
    """
    # Only here: scikit-learn takes most of a second to import, and not every start of a program trains.
    from sklearn.model_selection import StratifiedKFold

    _, inverse, photos = np.unique(y, return_inverse=True, return_counts=True)
    testable = np.flatnonzero(photos[inverse] >= 2)
    splits = min(wanted, int(photos.max()))
    # StratifiedKFold would warn about people with fewer photos than folds. Their photos are dealt out here,
    # person by person, so that no two photos of a person fall into the same fold.
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
    """Return True if anybody has a second photo to be tested with.

    >>> can_cross_validate(np.array([0, 1, 1])), can_cross_validate(np.array([0, 1]))
    (True, False)
    """
    return int(np.unique(y, return_counts=True)[1].max(initial=0)) >= 2
