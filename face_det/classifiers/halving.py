"""A cross-validated search over candidate parameters, by successive halving.

Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
2016. A few photos are enough to reveal a bad candidate, so only the better ones are tried on all of them.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers.folds import FOLDS, RowIndices, Targets, split_folds

PersonScores = npt.NDArray[np.float64]
"""Margins or probabilities, shape (photos, people); the largest of a row is the likeliest person."""

OwnPersonMask = npt.NDArray[np.bool_]
"""Shape (photos, people): True where the photo of the row shows the person of the column."""

SearchProgress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, slots=True)
class HalvingRound:
    """How much data the candidates are tried on, and how many advance to the next round."""

    kept: int = 1
    """Candidates that advance; the last round ignores it."""
    folds: int = FOLDS
    """Only this many folds, the first ones."""
    photos: int | None = None
    """About this many photos, shared out evenly among the people; None means all of them."""
    effort: float = 1.0
    """The share of the full work to do, for recipes that can do less."""


FitAndScore = Callable[[Mapping[str, Any], RowIndices, RowIndices, HalvingRound], PersonScores]
"""fit_and_score(params, train, test, round): fit to the rows `train` and return scores of the rows `test`."""

LossFunction = Callable[[PersonScores, OwnPersonMask], float]
Fold = tuple[RowIndices, RowIndices]
"""(training rows, test rows)."""


@dataclass(frozen=True, eq=False)
class CandidateResult:
    """A candidate that was tried: accuracy, loss, and the scores of the tested photos, fold after fold."""

    params: dict[str, Any]
    accuracy: float
    loss: float
    scores: PersonScores


def search_by_halving(
    fit_and_score: FitAndScore,
    loss: LossFunction,
    candidates: Sequence[Mapping[str, Any]],
    y: Targets,
    *,
    jobs: int,
    on_progress: SearchProgress,
    rounds: Sequence[HalvingRound] = (HalvingRound(),),
) -> CandidateResult:
    """Find the most accurate candidate of the last round.

    Ties go to the smaller loss, then to the candidate listed first. Earlier rounds keep the candidates with
    the smallest loss instead: with few photos many candidates are equally accurate, while the probabilities
    of some are useless, and only the loss tells them apart. `y`, shape (n,), says whose each photo is.

    The work runs on `jobs` threads, not processes: libsvm and XGBoost release the GIL, so the encodings are
    shared and nothing has to start up. An exception from `on_progress` ends the search.

    >>> y, silent = np.array([0, 0, 1, 1]), lambda done, total: None
    >>> guess = lambda params, train, test, one: 0.5 + params["bias"] * np.eye(2)[y[test]]
    >>> biases = [{"bias": -0.4}, {"bias": 0.4}]
    >>> search_by_halving(guess, log_loss, biases, y, jobs=1, on_progress=silent).params
    {'bias': 0.4}
    """
    splits = split_folds(y)
    folds_of_rounds = [_folds_of_round(y, splits, one) for one in rounds]
    counts = _candidates_per_round(len(candidates), rounds)
    total = sum(count * len(folds) for count, folds in zip(counts, folds_of_rounds, strict=True))
    done, remaining = itertools.count(1), [dict(candidate) for candidate in candidates]
    with _without_false_warnings(), ThreadPoolExecutor(max(1, jobs), thread_name_prefix="search") as pool:

        def results(number: int) -> Iterator[CandidateResult]:
            one, folds = rounds[number], folds_of_rounds[number]
            tasks = [[pool.submit(fit_and_score, each, *fold, one) for fold in folds] for each in remaining]
            for params, waiting in zip(remaining, tasks, strict=True):
                scores = np.concatenate([_wait(task, done, total, on_progress) for task in waiting])
                yield _judge_candidate(params, scores, y, folds, loss)

        try:
            for number in range(len(rounds) - 1):
                ranked = sorted(results(number), key=lambda found: found.loss)
                remaining = [found.params for found in ranked[: counts[number + 1]]]
            return min(results(len(rounds) - 1), key=lambda found: (-found.accuracy, found.loss))
        except BaseException:
            # After an error such as Ctrl-C, candidates still in the queue must not start.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _without_false_warnings() -> Iterator[None]:
    """Keep scikit-learn's forests from warning about each other.

    While one of them fits in a thread, it empties the process's warning filters for a moment, and one in
    another thread that finds them empty says that `delayed` is used wrongly.
    """
    show = warnings.showwarning

    def show_others(message: Warning | str, *where: Any, **more: Any) -> None:
        if "`sklearn.utils.parallel.delayed` should be used with" not in str(message):
            show(message, *where, **more)

    warnings.showwarning = show_others
    try:
        yield
    finally:
        warnings.showwarning = show


def _wait(
    task: Future[PersonScores], done: Iterator[int], total: int, on_progress: SearchProgress
) -> PersonScores:
    scores = task.result()
    on_progress(next(done), total)
    return scores


def _candidates_per_round(candidates: int, rounds: Sequence[HalvingRound]) -> list[int]:
    counts = [candidates]
    for one in rounds[:-1]:
        counts.append(min(one.kept, counts[-1]))
    return counts


def log_loss(proba: PersonScores, own: OwnPersonMask) -> float:
    """Return the mean of -ln p, where p is the probability of the right person, but at least 1e-12.

    Both arrays have shape (photos, people).

    >>> round(log_loss(np.array([[0.5, 0.5]]), np.array([[True, False]])), 4)
    0.6931
    """
    return float(-np.log(np.maximum(proba[own], 1e-12)).mean())


def _judge_candidate(
    params: dict[str, Any], scores: PersonScores, y: Targets, folds: Sequence[Fold], loss: LossFunction
) -> CandidateResult:
    own = np.concatenate([y[test] for _, test in folds])[:, None] == np.unique(y)[None, :]
    accuracy = np.mean(own[np.arange(len(own)), scores.argmax(axis=1)])
    return CandidateResult(params, float(accuracy), loss(scores, own), scores)


def _folds_of_round(y: Targets, splits: Sequence[Fold], one: HalvingRound) -> list[Fold]:
    """Return the folds of a round, cut down to its photos."""
    kept = np.zeros(len(y), dtype=bool)
    kept[sample_rows_evenly(y, splits, one.photos)] = True
    return [(train[kept[train]], test[kept[test]]) for train, test in splits[: one.folds]]


def sample_rows_evenly(y: Targets, splits: Sequence[Fold], photos: int | None) -> RowIndices:
    """Choose about `photos` rows, evenly across folds and across people who have enough photos.

    Nobody keeps fewer photos than there are folds, so that the folds stay fair; this may choose more rows
    than asked for. None chooses all rows. Returns sorted row numbers.

    >>> y = np.repeat([0, 1], 10)
    >>> sample_rows_evenly(y, split_folds(y), 10).size
    10
    """
    if photos is None or photos >= len(y):
        return np.arange(len(y))
    fold_of = np.full(len(y), len(splits))
    for fold, (_, test) in enumerate(splits):
        fold_of[test] = fold
    # For each person, take the first photo of each fold, then the second of each fold, and so on.
    by_fold = np.lexsort((fold_of, y))
    turn = np.empty(len(y), dtype=np.intp)
    turn[by_fold] = _ranks_within_runs(y[by_fold] * (len(splits) + 1) + fold_of[by_fold])
    order = np.lexsort((fold_of, turn, y))
    rank = _ranks_within_runs(y[order])
    counts = np.bincount(rank)
    # As many of each person as fit: rank r takes one photo of everybody who has more than r.
    each = max(len(splits), int(np.searchsorted(np.cumsum(counts), photos, side="right")))
    return np.sort(order[rank < each])


def _ranks_within_runs(keys: npt.NDArray[np.int64]) -> RowIndices:
    """Return 0, 1, 2, ... within each run of equal keys."""
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    return np.arange(len(keys)) - np.repeat(starts, np.diff(np.r_[starts, len(keys)]))
