"""Genuine and impostor scores for the classic recognisers, whose distances depend on who is enrolled.

A template can be made without one photo; a subspace cannot unlearn one, and knows the photos it was learnt
from too well. So genuine scores come from a few classifiers that have each not seen some photos. Impostors
are the photos of Unknown, from which a classifier learns nothing: to leave out people instead would change
the subspace, and its distances with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from face_det.classifiers import TRAINING_SEED, Recipe, RowIndices, Targets
from face_det.errors import TooFewPeople
from face_det.training.calibration import MIN_TAIL_PEOPLE
from face_det.training.comparison_scores import ComparisonScores
from face_det.types import Encodings

if TYPE_CHECKING:
    from face_det.classifiers import PixelClassifier

ROUNDS = 5
"""In each round a fifth of the photos is new."""

MAX_PHOTOS_SCORED = 2000
"""At most this many photos of either kind are scored: more add no certainty, and take time."""

STRANGERS_NEEDED = 2 * MIN_TAIL_PEOPLE + 1
"""Photos of strangers, without which nothing is known of the tail of their scores. There is no built-in
background, because what strangers score depends on who is enrolled."""


def score_unseen_photos(
    X: Encodings,
    y: Targets,
    strangers_class: int | None,
    recipe: Recipe,
    fitted: PixelClassifier,
    in_training_burst: Callable[[RowIndices, RowIndices], npt.NDArray[np.bool_]],
) -> ComparisonScores:
    """Score photos of people by classifiers that have not seen them, and strangers by the one fitted to all.

    X, shape (n, d), are grey faces of people y, shape (n,). Of the rows that it gets first,
    `in_training_burst` finds those in a burst with any of the second. Raises TooFewPeople if there are too
    few strangers to say how near they come.
    """
    strangers = _sample(np.flatnonzero(y == strangers_class), MAX_PHOTOS_SCORED)
    people = np.setdiff1d(y, y[strangers])
    if len(strangers) < STRANGERS_NEEDED or len(people) < 2:
        raise TooFewPeople(
            f"{recipe.name}: must have photos of 2 people and of {STRANGERS_NEEDED} strangers to learn a "
            f"threshold from, got {len(people)} and {len(strangers)}; add photos of strangers to "
            "dataset/Unknown (face-det fetch-lfw), or train nearest"
        )
    rank, spare = _ranks(y), np.isin(y, people) & (np.bincount(y)[y] > 1)
    genuine, owners = [np.empty((0, len(people)))], [np.empty(0, np.intp)]
    for number in range(ROUNDS):
        new = spare & (rank % ROUNDS == number)
        learnt = np.flatnonzero(~new)
        held = _sample(np.flatnonzero(new), MAX_PHOTOS_SCORED // ROUNDS)
        if not len(held):
            continue
        part = cast("PixelClassifier", recipe.refit(X[learnt], y[learnt], {}))
        held = held[~in_training_burst(held, learnt)]
        genuine.append(part.scores(X[held])[:, part.enrolled_])
        owners.append(np.searchsorted(people, y[held]))
    impostor = fitted.scores(X[strangers])[:, fitted.enrolled_]
    return ComparisonScores(
        np.concatenate(genuine), np.concatenate(owners), impostor, np.ones(len(impostor)), bursts=1.0
    )


def _ranks(y: Targets) -> RowIndices:
    """Number each person's photos from 0, in an order drawn once, so that no round gets the first ones."""
    drawn = np.random.default_rng(TRAINING_SEED).permutation(len(y))
    order = drawn[np.argsort(y[drawn], kind="stable")]
    _, first, counts = np.unique(y[order], return_index=True, return_counts=True)
    rank = np.empty(len(y), np.intp)
    rank[order] = np.arange(len(y)) - np.repeat(first, counts)
    return rank


def _sample(rows: RowIndices, most: int) -> RowIndices:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(TRAINING_SEED).choice(rows, most, replace=False))
