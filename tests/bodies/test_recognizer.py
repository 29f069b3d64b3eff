"""Who is named by the body, and with which error rate."""

from __future__ import annotations

import numpy as np
import pytest

from face_det.bodies import BodyEncodings, evaluate_bodies, fit_bodies
from face_det.bodies.recognizer import _count_allowed, threshold_above

RATE = 0.1
NEEDED = 30


def clothes(random: np.random.Generator, count: int = 1, dimensions: int = 16) -> np.ndarray:
    """Encodings of so many persons who wear something else each."""
    rows = random.normal(size=(count, dimensions))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def frames(random: np.random.Generator, worn: np.ndarray, count: int = 3) -> np.ndarray:
    """Encodings of frames that show the same clothes."""
    rows = worn + random.normal(scale=0.12 / len(worn) ** 0.5, size=(count, len(worn)))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def household(strangers: int, *, changed: int = 0, dimensions: int = 16) -> BodyEncodings:
    """Ann and Bob in their own clothes on four visits, of which they have changed for some; and strangers."""
    random = np.random.default_rng(1)
    rows, names, visits = [], [], []
    for name, own in zip(("Ann", "Bob"), clothes(random, 2, dimensions), strict=True):
        for visit in range(4):
            worn = own if visit >= changed else clothes(random, 1, dimensions)[0]
            rows.append(frames(random, worn))
            names += [name] * 3
            visits += [str(visit)] * 3
    for number, worn in enumerate(clothes(random, strangers, dimensions)):
        rows.append(frames(random, worn))
        names += ["Unknown"] * 3
        visits += [str(number)] * 3
    return BodyEncodings(np.vstack(rows), tuple(names), tuple(visits), "toy")


def test_a_rate_that_cannot_be_shown_names_nobody() -> None:
    """With one stranger too few nobody is named; with enough, people are. Ann and Bob are strangers, too."""
    few, enough = household(NEEDED - 3), household(NEEDED - 2)
    assert not fit_bodies(few, RATE).names_people
    assert {one.name for one in fit_bodies(few, RATE).match(few.X[:3], range(3))} == {None}
    found = fit_bodies(enough, RATE)
    assert (found.calibration.strangers, found.calibration.needed) == (NEEDED, NEEDED)
    assert [one.name for one in found.match(enough.X[[0, 12]], [0, 1])] == ["Ann", "Bob"]


def test_nobody_has_been_forgotten_and_named() -> None:
    """Whoever is no longer enrolled has no name, and a picture shows a person once."""
    known = household(NEEDED)
    found = fit_bodies(known, RATE)
    assert found.match(known.X[:1], [0], enrolled=["Bob"])[0].name is None
    assert sorted(str(one.name) for one in found.match(known.X[:2], [7, 7])) == ["Ann", "None"]


@pytest.mark.parametrize(("changed", "right"), [(0, 8), (2, 4), (4, 0)])
def test_who_changes_is_not_known_although_each_visit_is_alike(changed: int, right: int) -> None:
    """A visit is left out as a whole: its other frames would be recognised, and that says nothing."""
    evaluated = evaluate_bodies(household(NEEDED, changed=changed, dimensions=2000), RATE)
    assert (evaluated.right.count, evaluated.right.total, evaluated.wrong.count) == (right, 8, 0)


def test_the_same_coat_names_nobody() -> None:
    """Two who wear the same have no name but by luck, however many strangers do not, and nor has anybody in
    what a stranger wears."""
    random = np.random.default_rng(3)
    known = household(5 * NEEDED)
    ann = known.X[:12].mean(axis=0)
    rows = np.vstack([known.X, frames(random, ann, 6)])
    twin = BodyEncodings(
        rows, (*known.names, *["Cid"] * 6), (*known.visits, *["0"] * 3, *["1"] * 3), known.fingerprint
    )
    asked = frames(random, ann, 60)
    named = [one.name for one in fit_bodies(twin, RATE).match(asked, range(60))]
    assert named.count(None) >= 54
    assert [one.name for one in fit_bodies(known, RATE).match(asked, range(60))] == ["Ann"] * 60
    known = household(NEEDED)
    ann = known.X[:12].mean(axis=0)
    stranger = BodyEncodings(
        np.vstack([known.X, frames(random, ann)]),
        (*known.names, *["Unknown"] * 3),
        (*known.visits, *["coat"] * 3),
        known.fingerprint,
    )
    assert evaluate_bodies(stranger, RATE).strangers_named.count == 1
    assert fit_bodies(stranger, RATE).match(frames(random, ann), range(3))[0].name is None


def test_one_visit_is_too_few() -> None:
    """Somebody with one visit is left out, and told."""
    known = household(NEEDED)
    more = BodyEncodings(
        np.vstack([known.X, clothes(np.random.default_rng(5))]),
        (*known.names, "Dora"),
        (*known.visits, "0"),
        known.fingerprint,
    )
    found = fit_bodies(more, RATE)
    assert found.calibration.left_out == ("Dora",)
    assert found.model is not None
    assert "Dora" not in found.model.labels


@pytest.mark.parametrize("strangers", [30, 61, 150])
def test_the_stated_rate_holds_with_the_stated_confidence(strangers: int) -> None:
    """Of 2,000 thresholds set by other strangers, at most one in twenty lets more through than stated."""
    random = np.random.default_rng(strangers)
    allowed = _count_allowed(strangers, RATE)
    assert allowed is not None
    scores = random.random((2000, strangers))
    # The scores are uniform, so that a threshold's true rate is what is left above it.
    rates = np.array([1 - threshold_above(row, allowed) for row in scores])
    assert (rates > RATE).mean() <= 0.05 + 0.015
    assert (np.array([1 - threshold_above(row, allowed + 1) for row in scores]) > RATE).mean() > 0.05
