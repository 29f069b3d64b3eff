"""A cross-validated search over candidates, in rounds.

Successive halving (Jamieson, Talwalkar: Non-stochastic best arm identification and hyperparameter
optimization, 2016): what is bad is bad already with a few photos, so only the better candidates are
tried on all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers.folds import FOLDS, RowIndices, Targets, split_folds

PersonScores = npt.NDArray[np.float64]
"""Answers about photos, a row each, by person, a column each: margins or probabilities."""
OwnPersonMask = npt.NDArray[np.bool_]
"""Of the same shape: whether the row's photo is of the column's person."""
SearchProgress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, slots=True)
class HalvingRound:
    """On how much candidates are tried, and how many of them go on into the next round."""

    kept: int = 1
    folds: int = FOLDS
    """The first so many."""
    photos: int | None = None
    """About so many, shared out evenly among the people; None: all."""
    effort: float = 1.0
    """What part of the work, for recipes that can do with less."""


FitAndScore = Callable[[Mapping[str, Any], RowIndices, RowIndices, HalvingRound], PersonScores]
"""answer(params, train, test, round): about the rows `test`, by what was fitted to the rows `train`. A
column a person, the largest is the likeliest."""

LossFunction = Callable[[PersonScores, OwnPersonMask], float]
Fold = tuple[RowIndices, RowIndices]


@dataclass(frozen=True, eq=False)
class CandidateResult:
    """A candidate that was tried: its accuracy, its loss, and its answers, fold after fold."""

    params: dict[str, Any]
    accuracy: float
    loss: float
    answers: PersonScores


def search_by_halving(
    answer: FitAndScore,
    loss: LossFunction,
    candidates: Sequence[Mapping[str, Any]],
    y: Targets,
    *,
    jobs: int,
    on_progress: SearchProgress,
    rounds: Sequence[HalvingRound] = (HalvingRound(),),
) -> CandidateResult:
    """The most accurate candidate of the last round; of equals the one with the least loss, then the first.

    Into the next round go those with the least loss: with few photos many candidates are equally
    accurate, and the probabilities of some of them useless, which the loss tells apart.

    Threads, not processes: libsvm and XGBoost let go of the interpreter while they work, so the
    encodings are shared and nothing has to start up.
    """
    splits = split_folds(y)
    heats = [_folds_of_round(y, splits, one) for one in rounds]
    numbers = [len(candidates)]
    for one in rounds[:-1]:
        numbers.append(min(one.kept, numbers[-1]))
    total = sum(number * len(heat) for number, heat in zip(numbers, heats, strict=True))
    done = itertools.count(1)
    left = [dict(candidate) for candidate in candidates]
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="search") as pool:

        def tried(one: HalvingRound, heat: Sequence[Fold]) -> Iterator[CandidateResult]:
            own = np.concatenate([y[test] for _, test in heat])[:, None] == np.unique(y)[None, :]
            tasks = [pool.submit(answer, params, *split, one) for params in left for split in heat]
            waiting = iter(tasks)
            for params in left:
                columns = []
                for _ in heat:
                    columns.append(next(waiting).result())
                    on_progress(next(done), total)
                yield _judge_candidate(params, np.concatenate(columns), own, loss)

        try:
            for number, one in enumerate(rounds[:-1]):
                order = sorted(tried(one, heats[number]), key=lambda found: found.loss)
                left = [found.params for found in order[: numbers[number + 1]]]
            return min(tried(rounds[-1], heats[-1]), key=lambda found: (-found.accuracy, found.loss))
        except BaseException:
            # Ctrl-C, for one: what waits is not begun.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _judge_candidate(
    params: dict[str, Any], answers: PersonScores, own: OwnPersonMask, loss: LossFunction
) -> CandidateResult:
    accuracy = np.mean(own[np.arange(len(own)), answers.argmax(axis=1)])
    return CandidateResult(params, float(accuracy), loss(answers, own), answers)


def _folds_of_round(y: Targets, splits: Sequence[Fold], one: HalvingRound) -> list[Fold]:
    """The folds of a round, cut down to its photos."""
    kept = np.zeros(len(y), dtype=bool)
    kept[sample_rows_evenly(y, splits, one.photos)] = True
    return [(train[kept[train]], test[kept[test]]) for train, test in splits[: one.folds]]


def sample_rows_evenly(y: Targets, splits: Sequence[Fold], photos: int | None) -> RowIndices:
    """About so many rows: equally many of everybody who has them, and out of all folds alike.

    Of nobody fewer than there are folds, so that these stay fair; that may be more than asked for.
    """
    if photos is None or photos >= len(y):
        return np.arange(len(y))
    fold_of = np.full(len(y), len(splits))
    for fold, (_, test) in enumerate(splits):
        fold_of[test] = fold
    # Of each person the first photo of each fold comes first, then the second of each, and so on.
    of_fold = np.lexsort((fold_of, y))
    turn = np.empty(len(y), dtype=np.intp)
    turn[of_fold] = _ranks_within_runs(y[of_fold] * (len(splits) + 1) + fold_of[of_fold])
    order = np.lexsort((fold_of, turn, y))
    place = _ranks_within_runs(y[order])
    counts = np.bincount(place)
    # As many of each as fit: place p takes one photo of everybody who has more than p.
    each = max(len(splits), int(np.searchsorted(np.cumsum(counts), photos, side="right")))
    return np.sort(order[place < each])


def _ranks_within_runs(keys: npt.NDArray[np.int64]) -> RowIndices:
    """0, 1, 2, ... within each run of equal keys."""
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    return np.arange(len(keys)) - np.repeat(starts, np.diff(np.r_[starts, len(keys)]))


def log_loss(proba: PersonScores, own: OwnPersonMask) -> float:
    """The mean surprise at whose photo it was; at most 27.6 for a photo, which is 1e-12."""
    return float(-np.log(np.maximum(proba[own], 1e-12)).mean())
