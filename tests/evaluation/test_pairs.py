"""Verification accuracy on pairs of photos of one or of two people."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import gallery, photos

from face_det.evaluation.pairs import measure_verification
from face_det.types import UNKNOWN

PEOPLE = {f"Person{number:02}": 3 for number in range(20)}


def test_people_who_are_apart_are_told_apart() -> None:
    """All 60 genuine and 60 impostor pairs are right, in ten folds of two people."""
    some = gallery(PEOPLE)
    found = measure_verification(some.encodings, some.names)
    assert found is not None
    assert (found.accuracy, found.folds, found.pairs) == (1.0, 10, 120)
    assert found.interval == (pytest.approx(0.969, abs=5e-4), 1.0), (
        "Wilson's of 120: no error proves no certainty"
    )


def test_people_who_cannot_be_told_apart() -> None:
    """The accuracy on noise is about one half, and the interval contains it."""
    noise = np.random.default_rng(0).normal(size=(60, 128))
    found = measure_verification(noise, gallery(PEOPLE).names)
    assert found is not None
    low, high = found.interval
    assert low < 0.5 < high
    assert found.accuracy == pytest.approx(0.5, abs=0.15)


def test_strangers_are_each_somebody_else() -> None:
    """Strangers never form a genuine pair; they only add impostor pairs."""
    some = gallery(PEOPLE)
    strangers = photos(UNKNOWN, 30)
    found = measure_verification(np.vstack([some.encodings, strangers]), [*some.names, *[None] * 30])
    assert found is not None
    assert (found.accuracy, found.pairs) == (1.0, 120)


def test_too_few_people() -> None:
    """One person with several photos is not enough for two folds."""
    some = gallery({"Alice": 4, "Bob": 1})
    assert measure_verification(some.encodings, some.names) is None


@pytest.mark.parametrize("strangers", [0, 1, 2, 5])
@pytest.mark.parametrize("people", [1, 2, 3, 8, 12, 21])
def test_a_household(people: int, strangers: int) -> None:
    """Small households get folds with pairs of both kinds, or no result."""
    some = gallery({f"Person{number:02}": 3 for number in range(people)})
    rows, names = [some.encodings], [*some.names, *[None] * strangers]
    if strangers:
        rows.append(photos(UNKNOWN, strangers))
    found = measure_verification(np.vstack(rows), names)
    folds = min(10, people, (people + strangers) // 2)
    if folds < 2:
        assert found is None
        return
    assert found is not None
    low, high = found.interval
    assert 0 <= low < 1
    assert low <= found.accuracy <= high <= 1
    assert found.folds == folds
    assert found.pairs >= 2 * folds
