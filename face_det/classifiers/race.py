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

from face_det.classifiers.search import FOLDS, Columns, Own, Progress, Rows, Targets, folds


@dataclass(frozen=True, slots=True)
class Round:
    """On how much candidates are tried, and how many of them go on into the next round."""

    kept: int = 1
    folds: int = FOLDS
    """The first so many."""
    photos: int | None = None
    """About so many, shared out evenly among the people; None: all."""
    effort: float = 1.0
    """What part of the work, for recipes that can do with less."""


Answer = Callable[[Mapping[str, Any], Rows, Rows, Round], Columns]
"""answer(params, train, test, round): about the rows `test`, by what was fitted to the rows `train`. A
column a person, the largest is the likeliest."""

Loss = Callable[[Columns, Own], float]
Split = tuple[Rows, Rows]


@dataclass(frozen=True, eq=False)
class Found:
    """A candidate that was tried: its accuracy, its loss, and its answers, fold after fold."""

    params: dict[str, Any]
    accuracy: float
    loss: float
    answers: Columns


def best(
    answer: Answer,
    loss: Loss,
    candidates: Sequence[Mapping[str, Any]],
    y: Targets,
    *,
    jobs: int,
    on_progress: Progress,
    rounds: Sequence[Round] = (Round(),),
) -> Found:
    """The most accurate candidate of the last round; of equals the one with the least loss, then the first.

    Into the next round go those with the least loss: with few photos many candidates are equally
    accurate, and the probabilities of some of them useless, which the loss tells apart.

    Threads, not processes: libsvm and XGBoost let go of the interpreter while they work, so the
    encodings are shared and nothing has to start up.
    """
    splits = folds(y)
    heats = [_heats(y, splits, one) for one in rounds]
    numbers = [len(candidates)]
    for one in rounds[:-1]:
        numbers.append(min(one.kept, numbers[-1]))
    total = sum(number * len(heat) for number, heat in zip(numbers, heats, strict=True))
    done = itertools.count(1)
    left = [dict(candidate) for candidate in candidates]
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="search") as pool:

        def tried(one: Round, heat: Sequence[Split]) -> Iterator[Found]:
            own = np.concatenate([y[test] for _, test in heat])[:, None] == np.unique(y)[None, :]
            tasks = [pool.submit(answer, params, *split, one) for params in left for split in heat]
            waiting = iter(tasks)
            for params in left:
                columns = []
                for _ in heat:
                    columns.append(next(waiting).result())
                    on_progress(next(done), total)
                yield _judged(params, np.concatenate(columns), own, loss)

        try:
            for number, one in enumerate(rounds[:-1]):
                order = sorted(tried(one, heats[number]), key=lambda found: found.loss)
                left = [found.params for found in order[: numbers[number + 1]]]
            return min(tried(rounds[-1], heats[-1]), key=lambda found: (-found.accuracy, found.loss))
        except BaseException:
            # Ctrl-C, for one: what waits is not begun.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _judged(params: dict[str, Any], answers: Columns, own: Own, loss: Loss) -> Found:
    accuracy = np.mean(own[np.arange(len(own)), answers.argmax(axis=1)])
    return Found(params, float(accuracy), loss(answers, own), answers)


def _heats(y: Targets, splits: Sequence[Split], one: Round) -> list[Split]:
    """The folds of a round, cut down to its photos."""
    kept = np.zeros(len(y), dtype=bool)
    kept[some(y, splits, one.photos)] = True
    return [(train[kept[train]], test[kept[test]]) for train, test in splits[: one.folds]]


def some(y: Targets, splits: Sequence[Split], photos: int | None) -> Rows:
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
    turn[of_fold] = _places(y[of_fold] * (len(splits) + 1) + fold_of[of_fold])
    order = np.lexsort((fold_of, turn, y))
    place = _places(y[order])
    counts = np.bincount(place)
    # As many of each as fit: place p takes one photo of everybody who has more than p.
    each = max(len(splits), int(np.searchsorted(np.cumsum(counts), photos, side="right")))
    return np.sort(order[place < each])


def _places(keys: npt.NDArray[np.int64]) -> Rows:
    """0, 1, 2, ... within each run of equal keys."""
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    return np.arange(len(keys)) - np.repeat(starts, np.diff(np.r_[starts, len(keys)]))
