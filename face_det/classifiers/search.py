"""What the recipes share: what each must do, and fair folds.

A fold is fair here if a person with few photos neither stops the training nor weakens it for the
others: everybody is in every training part, and whoever has one photo is in no test part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

from face_det.errors import TooFewPeople
from face_det.faces import Classifier, Encodings

SEED = 1234
"""The original's: the same photos give the same classifier."""

FOLDS = 5

Targets = npt.NDArray[np.int64]
"""People as numbers 0..n-1, one for each encoding."""

Rows = npt.NDArray[np.intp]
Columns = npt.NDArray[np.float64]
"""Answers about photos, a row each, by person, a column each: margins or probabilities."""
Own = npt.NDArray[np.bool_]
"""Of the same shape: whether the row's photo is of the column's person."""
Progress = Callable[[int, int], None]
"""Called with (done, total)."""


class Recipe(Protocol):
    """How a kind of classifier is made. One class for each, named in the registry."""

    name: str
    minimum_people: int
    photos_each: int
    """Photos a person needs before the classifier dares to name them; below, `nearest` is better."""
    defaults: Mapping[str, Any]
    """Parameters that serve where nobody has searched for better ones."""

    def search(
        self, X: Encodings, y: Targets, *, jobs: int, thorough: bool, on_progress: Progress
    ) -> tuple[Classifier, dict[str, Any], float | None]:
        """The best classifier, its parameters and their cross-validated accuracy (None: not searched).

        Raises TooFewPeople if these encodings cannot train this kind.
        """
        ...

    def refit(self, X: Encodings, y: Targets, params: Mapping[str, Any]) -> Classifier:
        """A classifier with parameters that are known; TooFewPeople as in `search`."""
        ...

    def params_of(self, classifier: object) -> dict[str, Any] | None:
        """The parameters of a classifier of this kind that somebody else trained; None if it is not one."""
        ...


def require(name: str, y: Targets, *, people: int, pairs: int) -> None:
    """TooFewPeople unless there are that many people, `pairs` of them with two photos or more."""
    photos = np.unique(y, return_counts=True)[1]
    advice = "add photos of strangers to dataset/Unknown, or train nearest"
    if len(photos) < people:
        raise TooFewPeople(f"{name}: must have photos of {people} people, got {len(photos)}; {advice}")
    with_two = int((photos >= 2).sum())
    if with_two < pairs:
        raise TooFewPeople(
            f"{name}: must have two photos or more of {pairs} people to test itself on, "
            f"got them of {with_two}; {advice}"
        )


def folds(y: Targets, wanted: int = FOLDS) -> list[tuple[Rows, Rows]]:
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
    splitter = StratifiedKFold(splits, shuffle=True, random_state=SEED)
    for fold, (_, test) in enumerate(splitter.split(enough, inverse[enough])):
        fold_of[enough[test]] = fold
    few = np.setdiff1d(testable, enough)
    by_person = few[np.argsort(inverse[few], kind="stable")]
    fold_of[by_person] = np.arange(len(by_person)) % splits
    everything = np.arange(len(y))
    return [(everything[fold_of != fold], everything[fold_of == fold]) for fold in range(splits)]


def testable(y: Targets) -> bool:
    """Whether anybody has a second photo, to be tested with."""
    return int(np.unique(y, return_counts=True)[1].max(initial=0)) >= 2


def log_loss(proba: Columns, own: Own) -> float:
    """The mean surprise at whose photo it was; at most 27.6 for a photo, which is 1e-12."""
    return float(-np.log(np.maximum(proba[own], 1e-12)).mean())
