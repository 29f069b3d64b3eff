"""What the recipes share: fair folds, and a cross-validated search over candidates.

A fold is fair here if a person with few photos neither stops the training nor weakens it for the
others: everybody is in every training part, and whoever has one photo is in no test part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def best(
    answer: Callable[[Mapping[str, Any], Encodings, Targets, Encodings], Columns],
    loss: Callable[[Columns, Own], float],
    candidates: Sequence[dict[str, Any]],
    X: Encodings,
    y: Targets,
    *,
    jobs: int,
    on_progress: Progress,
) -> tuple[dict[str, Any], float]:
    """The candidate with the least loss over the folds, the first of equals; and its accuracy.

    `answer(params, X_train, y_train, X_test)` has a column a person, the largest is the likeliest.
    The original took the most accurate candidate. With few photos many are equally accurate, and
    the probabilities of some of them are useless: the loss, which judges these, tells them apart.

    Threads, not processes: libsvm and XGBoost let go of the interpreter while they work, so the
    encodings are shared and nothing has to start up.
    """
    splits = folds(y)
    tasks = [(candidate, split) for candidate in candidates for split in splits]
    own = np.concatenate([y[test] for _, test in splits])[:, None] == np.unique(y)[None, :]

    def one(task: tuple[dict[str, Any], tuple[Rows, Rows]]) -> Columns:
        candidate, (train, test) = task
        return answer(candidate, X[train], y[train], X[test])

    columns: list[Columns] = []
    judged: list[tuple[float, float]] = []
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="search") as pool:
        for done, found in enumerate(pool.map(one, tasks), start=1):
            columns.append(found)
            if len(columns) == len(splits):
                stacked = np.concatenate(columns)
                accuracy = np.mean(own[np.arange(len(own)), stacked.argmax(axis=1)])
                judged.append((loss(stacked, own), float(accuracy)))
                columns.clear()
            on_progress(done, len(tasks))
    winner = min(range(len(judged)), key=lambda index: judged[index][0])
    return dict(candidates[winner]), judged[winner][1]
