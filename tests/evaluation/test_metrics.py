"""Counts, intervals and calibration, checked against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from face_det.evaluation.metrics import (
    Predictions,
    Proportion,
    count_by_threshold,
    count_open_set,
    count_per_person,
    find_threshold_by_named_rightly,
    find_threshold_by_strangers_named,
    measure_reliability,
)

TRUTH = ("Alice", "Alice", "Alice", "Bob", "Bob", None, None, None)
SCORES = [0.9, 0.8, 0.3, 0.7, 0.5, 0.6, 0.2, 0.1]
LIKELIEST = ("Alice", "Bob", "Alice", "Bob", "Bob", "Alice", "Bob", "Bob")


def answers(threshold: float = 0.55) -> Predictions:
    nobody = np.zeros(len(TRUTH), dtype=bool)
    return Predictions(LIKELIEST, np.array(SCORES), nobody, nobody).with_threshold(threshold)


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        # Newcombe, Two-sided confidence intervals for the single proportion (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson(count: int, total: int, low: float, high: float) -> None:
    """The intervals match published ones; without photos the interval is 0 to 1."""
    assert Proportion(count, total).interval == pytest.approx((low, high), abs=5e-5)


def test_open_set_counts() -> None:
    """Each outcome is counted, and photos without a face are part of the totals."""
    table = count_open_set(TRUTH, answers(), known_no_face=2, strangers_no_face=1)
    # 0.9 Alice right, 0.8 Alice as Bob, 0.7 Bob right, 0.6 stranger as Alice; the rest is below 0.55.
    assert (table.right, table.wrong, table.unnamed, table.known) == (2, 1, 2, 7)
    assert (table.strangers_named, table.strangers_unnamed, table.strangers) == (1, 2, 4)
    # TP 2; FP 1 + 1; FN 7 - 2: 4 / (4 + 2 + 5).
    assert table.f1 == pytest.approx(4 / 11)
    assert sum(share.count for _, share in table.proportions()) == 11


def test_uncertain_is_not_named() -> None:
    """Uncertain answers are counted separately, for known people and for strangers."""
    given = answers()
    uncertain = np.array([False, False, True, False, False, False, True, False])
    table = count_open_set(TRUTH, Predictions(LIKELIEST, given.score, given.named, uncertain))
    assert (table.uncertain, table.unnamed) == (1, 1)
    assert (table.strangers_uncertain, table.strangers_unnamed) == (1, 1)


def test_nobody_likely_is_never_named() -> None:
    """A rule without a likeliest person names nobody, however low the threshold."""
    nobody = Predictions((None,), np.array([1.0]), np.array([False]), np.array([False]))
    assert not nobody.with_threshold(-1.0).named.any()


def test_per_person() -> None:
    """Each person's result says who they were taken for and how often others got their name."""
    alice, bob = count_per_person(TRUTH, answers(), {"Bob": 1})
    assert (alice.name, alice.counts.right, alice.counts.known, alice.taken_for, alice.given_to_others) == (
        "Alice",
        1,
        3,
        ("Bob",),
        1,
    )
    assert (bob.name, bob.counts.right, bob.counts.known, bob.taken_for, bob.given_to_others) == (
        "Bob",
        1,
        3,
        (),
        1,
    )


def test_thresholds_of_no_face() -> None:
    """If no tested photo shows a face, there is one threshold, and nobody is named."""
    nobody = np.zeros(0, dtype=bool)
    steps, counts = count_by_threshold((), Predictions((), np.zeros(0), nobody, nobody))
    assert steps.tolist() == [np.inf]
    assert counts.tolist() == [[0, 0, 0]]


def test_curve_agrees_with_counting_at_every_threshold() -> None:
    """The curve runs from naming nobody to naming everybody."""
    steps, counts = count_by_threshold(TRUTH, answers())
    assert np.isinf(steps[0])
    for step, (right, wrong, strangers) in zip(steps, counts, strict=True):
        table = count_open_set(TRUTH, answers(step))
        assert (table.right, table.wrong, table.strangers_named) == (right, wrong, strangers)
    assert counts[-1].tolist() == [4, 1, 3]


def test_threshold_for_a_number_of_strangers() -> None:
    """The lowest threshold that names at most 0, 1 or 3 strangers."""
    assert find_threshold_by_strangers_named(TRUTH, answers(), 0) == pytest.approx(0.7)
    assert find_threshold_by_strangers_named(TRUTH, answers(), 1) == pytest.approx(0.3)
    assert find_threshold_by_strangers_named(TRUTH, answers(), 3) == pytest.approx(0.1)


def test_threshold_from_which_so_many_are_right() -> None:
    """The highest threshold with that many right names, which names the fewest strangers."""
    for right in range(1, 9):
        found = find_threshold_by_named_rightly(TRUTH, answers(), right)
        counts = [count_open_set(TRUTH, answers().with_threshold(at)).right for at in np.linspace(0, 1, 101)]
        if max(counts) < right:
            assert found is None
            continue
        assert found is not None
        assert count_open_set(TRUTH, answers().with_threshold(found)).right >= right
        assert count_open_set(TRUTH, answers().with_threshold(found + 1e-9)).right < right
    assert find_threshold_by_named_rightly(TRUTH, answers(), 99) is None


def test_calibration_error() -> None:
    """Two bins: 0.9 claimed with 1/2 right, 0.2 claimed with 1/4 right: (2 * 0.4 + 4 * 0.05) / 6."""
    claimed = np.array([0.9, 0.9, 0.2, 0.2, 0.2, 0.2])
    right = np.array([True, False, True, False, False, False])
    found = measure_reliability(claimed, right)
    assert found.ece == pytest.approx((2 * 0.4 + 4 * 0.05) / 6)
    assert found.counts.tolist() == [4, 2]
    assert measure_reliability(np.array([1.0]), np.array([True])).ece == 0.0
    assert measure_reliability(np.array([]), np.array([], dtype=bool)).ece == 0.0
