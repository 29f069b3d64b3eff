"""A search in rounds: who goes on, on which photos, and who wins."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from face_det.classifiers.folds import RowIndices, split_folds
from face_det.classifiers.halving import (
    HalvingRound,
    PersonScores,
    log_loss,
    sample_rows_evenly,
    search_by_halving,
)

Y = np.repeat([0, 1, 2], [40, 20, 6])


def sure(params: Mapping[str, Any], test: RowIndices) -> PersonScores:
    """Answers that give the right person `p`, and of every `wrong`-th photo a wrong one."""
    proba = np.full((len(test), 3), (1 - params["p"]) / 2)
    said = np.where(test % params["wrong"] == 0, (Y[test] + 1) % 3, Y[test])
    proba[np.arange(len(test)), said] = params["p"]
    return proba


def search_counted(
    candidates: list[dict[str, Any]], rounds: list[HalvingRound], jobs: int = 1
) -> tuple[Any, list[Any]]:
    seen: list[tuple[int, int, int, int]] = []
    lock = threading.Lock()

    def answer(
        params: Mapping[str, Any], train: RowIndices, test: RowIndices, one: HalvingRound
    ) -> PersonScores:
        with lock:
            seen.append((params["name"], len(train), len(test), rounds.index(one)))
        return sure(params, test)

    ticks: list[tuple[int, int]] = []
    found = search_by_halving(
        answer,
        log_loss,
        candidates,
        Y,
        jobs=jobs,
        on_progress=lambda *tick: ticks.append(tick),
        rounds=rounds,
    )
    assert ticks == [(n, len(seen)) for n in range(1, len(seen) + 1)]
    return found, seen


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_better_ones_go_on(jobs: int) -> None:
    """Those with the least loss in a round see the next one; the total is known from the start."""
    candidates = [{"name": n, "p": 0.4 + 0.1 * n, "wrong": 99} for n in range(5)]
    rounds = [HalvingRound(kept=2, folds=2, photos=30), HalvingRound()]
    found, seen = search_counted(candidates, rounds, jobs)
    assert sorted(name for name, *_, number in seen if number == 0) == sorted([0, 1, 2, 3, 4] * 2)
    assert sorted(name for name, *_, number in seen if number == 1) == sorted([3, 4] * 5)
    assert found.params["name"] == 4
    assert max(train + test for _, train, test, number in seen if number == 0) <= 30
    assert {train + test for _, train, test, number in seen if number == 1} == {len(Y)}
    assert len(found.scores) == len(Y)


def test_accuracy_decides_in_the_end_and_loss_among_equals() -> None:
    """An unsure candidate that is right more often wins over a sure one; a surer one over it."""
    often = {"name": 0, "p": 0.5, "wrong": 60}
    surely = {"name": 1, "p": 0.99, "wrong": 20}
    both = {"name": 2, "p": 0.9, "wrong": 60}
    assert search_counted([surely, often], [HalvingRound()])[0].params is not surely
    assert search_counted([surely, often], [HalvingRound()])[0].params == often
    assert search_counted([surely, often, both], [HalvingRound()])[0].params == both
    assert search_counted([often, dict(often, name=5)], [HalvingRound()])[0].params["name"] == 0


def test_some_photos_are_fairly_shared_out() -> None:
    """As many of each person as of any other who has them, spread over the folds; nobody is left out."""
    splits = split_folds(Y)
    rows = sample_rows_evenly(Y, splits, 30)
    assert list(np.bincount(Y[rows])) == [12, 12, 6]
    for person in (0, 1):
        in_fold = [np.sum(Y[np.intersect1d(test, rows)] == person) for _, test in splits]
        assert max(in_fold) - min(in_fold) <= 1
    assert list(np.bincount(Y[sample_rows_evenly(Y, splits, 3)])) == [5, 5, 5]
    assert len(sample_rows_evenly(Y, splits, None)) == len(Y)


def test_ctrl_c_leaves_what_waits_undone() -> None:
    """When it is interrupted, tasks that have not begun never begin."""
    begun: list[int] = []
    first = threading.Event()

    def answer(
        params: Mapping[str, Any], train: RowIndices, test: RowIndices, one: HalvingRound
    ) -> PersonScores:
        begun.append(len(begun))
        if len(begun) > 1:
            first.wait(30)
        return sure({"p": 0.9, "wrong": 99}, test)

    def interrupt(done: int, total: int) -> None:
        threading.Timer(0.2, first.set).start()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search_by_halving(answer, log_loss, [{"name": n} for n in range(9)], Y, jobs=1, on_progress=interrupt)
    assert len(begun) <= 2


def test_forests_do_not_warn_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """scikit-learn's warning, which only its own threads cause, is not shown; all others are."""
    shown: list[str] = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_, **__: shown.append(str(message)))
    false = "`sklearn.utils.parallel.delayed` should be used with `sklearn.utils.parallel.Parallel`"

    def warn(
        params: Mapping[str, Any], train: RowIndices, test: RowIndices, one: HalvingRound
    ) -> PersonScores:
        for message in (false, "the photos are odd"):
            warnings.warn(message, stacklevel=1)
        return sure(params, test)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        search_by_halving(warn, log_loss, [{"p": 0.9, "wrong": 50}], Y, jobs=1, on_progress=lambda *_: None)
    assert set(shown) == {"the photos are odd"}
