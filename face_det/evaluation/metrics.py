"""Predictions for labelled faces, and their metrics: open-set counts, intervals, F1 and calibration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
"""An array of float64 of any shape."""

Z95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""
RELIABILITY_BINS = 10
"""The number of equally wide bins in the reliability diagram."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """`count` of `total`, with Wilson's 95 % confidence interval.

    >>> [round(end, 3) for end in Proportion(81, 263).interval]
    [0.255, 0.366]
    """

    count: int
    total: int

    @property
    def value(self) -> float:
        """The proportion, 0..1; 0 if `total` is 0."""
        return self.count / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (E. B. Wilson, 1927), which also holds near 0 and 1."""
        if not self.total:
            return 0.0, 1.0
        n, p, z2 = self.total, self.value, Z95 * Z95
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        # The formula gives exactly 0 and 1 here; do not let rounding change that.
        low = 0.0 if self.count == 0 else max(0.0, middle - half)
        high = 1.0 if self.count == n else min(1.0, middle + half)
        return low, high


@dataclass(frozen=True, eq=False)
class Predictions:
    """A rule's predictions for n faces, one entry each.

    `likeliest` is the person closest to being named, `score` the rule's confidence in that person (higher is
    surer). `named` is True if the rule gives the name, and `uncertain` if it calls the person a possibility.
    A rule that takes a face for a stranger's names nobody.

    Rules with probabilities have three more fields: `likely` is the probability of the likeliest person,
    `answer` is the prediction (None for a stranger), and `probability` its claimed probability of being
    right.

    >>> nobody = np.zeros(3, dtype=bool)
    >>> predictions = Predictions(("Ann", "Bob", "Ann"), np.array([0.9, 0.8, 0.3]), nobody, nobody)
    >>> predictions.with_threshold(0.5).named.tolist()
    [True, True, False]
    """

    likeliest: tuple[str | None, ...]
    score: Floats
    named: npt.NDArray[np.bool_]
    uncertain: npt.NDArray[np.bool_]
    likely: Floats | None = None
    probability: Floats | None = None
    answer: tuple[str | None, ...] = ()

    def with_threshold(self, threshold: float) -> Predictions:
        """Return the predictions of the same rule with another threshold: named if score >= threshold."""
        there = np.array([name is not None for name in self.likeliest], dtype=np.bool_)
        named = (self.score >= threshold) & there
        return replace(self, named=named, uncertain=np.zeros_like(named))

    def with_probability_scores(self) -> Predictions:
        """Return the same predictions with the likeliest person's probability as the score."""
        return self if self.likely is None else replace(self, score=self.likely)


@dataclass(frozen=True, slots=True)
class OpenSetCounts:
    """The counts of an open-set test: the outcomes for photos of known people and of strangers."""

    right: int
    wrong: int
    uncertain: int
    unnamed: int
    known_no_face: int
    strangers_named: int
    strangers_uncertain: int
    strangers_unnamed: int
    strangers_no_face: int

    @property
    def known(self) -> int:
        """All photos of enrolled people, including those without a detected face."""
        return self.right + self.wrong + self.uncertain + self.unnamed + self.known_no_face

    @property
    def strangers(self) -> int:
        """All photos of strangers, including those without a detected face."""
        return (
            self.strangers_named + self.strangers_uncertain + self.strangers_unnamed + self.strangers_no_face
        )

    @property
    def f1(self) -> float:
        """Micro F1 over the enrolled people: 2 TP / (2 TP + FP + FN).

        Every wrong name is a false positive, including a name given to a stranger. A photo of a known person
        without the right name is a false negative (open-set F1; Mendes Junior et al., Nearest neighbors
        distance ratio open-set classifier, 2017).
        """
        positives = self.right + self.wrong + self.strangers_named
        return 2 * self.right / (positives + self.known) if positives + self.known else 0.0

    def proportions(self) -> Iterator[tuple[str, Proportion]]:
        """Yield the rows of the table: a label and its proportion."""
        yield "known, named rightly", Proportion(self.right, self.known)
        yield "known, named wrongly", Proportion(self.wrong, self.known)
        yield "known, uncertain", Proportion(self.uncertain, self.known)
        yield "known, not named", Proportion(self.unnamed, self.known)
        yield "known, no face found", Proportion(self.known_no_face, self.known)
        yield "strangers, named", Proportion(self.strangers_named, self.strangers)
        yield "strangers, uncertain", Proportion(self.strangers_uncertain, self.strangers)
        yield "strangers, not named", Proportion(self.strangers_unnamed, self.strangers)
        yield "strangers, no face found", Proportion(self.strangers_no_face, self.strangers)


def count_open_set(
    truth: Sequence[str | None], predictions: Predictions, known_no_face: int = 0, strangers_no_face: int = 0
) -> OpenSetCounts:
    """Count the outcomes of the predictions.

    `truth` is the true name of each face, None for a stranger. Photos without a detected face are passed as
    counts and added to the totals.

    >>> nobody = np.zeros(3, dtype=bool)
    >>> predictions = Predictions(("Ann", "Bob", "Ann"), np.array([0.9, 0.8, 0.3]), nobody, nobody)
    >>> counts = count_open_set(["Ann", "Ann", None], predictions.with_threshold(0.5))
    >>> counts.right, counts.wrong, counts.strangers_unnamed
    (1, 1, 1)
    """
    counts = dict.fromkeys(
        ("right", "wrong", "uncertain", "unnamed", "named", "stranger_uncertain", "stranger"), 0
    )
    for name, likeliest, named, uncertain in zip(
        truth, predictions.likeliest, predictions.named, predictions.uncertain, strict=True
    ):
        if name is None:
            counts["named" if named else "stranger_uncertain" if uncertain else "stranger"] += 1
        elif named:
            counts["right" if likeliest == name else "wrong"] += 1
        else:
            counts["uncertain" if uncertain else "unnamed"] += 1
    return OpenSetCounts(
        counts["right"],
        counts["wrong"],
        counts["uncertain"],
        counts["unnamed"],
        known_no_face,
        counts["named"],
        counts["stranger_uncertain"],
        counts["stranger"],
        strangers_no_face,
    )


@dataclass(frozen=True, slots=True)
class PersonResult:
    """One person's results.

    `taken_for` holds the wrong names given to them; `given_to_others` is how often others got their name.
    """

    name: str
    counts: OpenSetCounts
    taken_for: tuple[str, ...]
    given_to_others: int


def count_per_person(
    truth: Sequence[str | None], predictions: Predictions, no_face: dict[str, int] | None = None
) -> list[PersonResult]:
    """Return the results of each tested person, sorted by name.

    `truth` is the true name of each face, None for a stranger. `no_face` counts each person's photos without
    a detected face.

    >>> nobody = np.zeros(3, dtype=bool)
    >>> predictions = Predictions(("Ann", "Bob", "Ann"), np.array([0.9, 0.8, 0.3]), nobody, nobody)
    >>> [ann] = count_per_person(["Ann", "Ann", None], predictions.with_threshold(0.5))
    >>> ann.counts.right, ann.taken_for, ann.given_to_others
    (1, ('Bob',), 0)
    """
    truths = np.array([name or "" for name in truth], dtype=object)
    given = np.array(
        [name if named else "" for name, named in zip(predictions.likeliest, predictions.named, strict=True)],
        dtype=object,
    )
    no_face = no_face or {}
    results = []
    for name in sorted({name for name in truth if name} | set(no_face)):
        mine = truths == name
        rows = np.flatnonzero(mine)
        part = replace(
            predictions,
            likeliest=tuple(predictions.likeliest[row] for row in rows),
            score=predictions.score[rows],
            named=predictions.named[rows],
            uncertain=predictions.uncertain[rows],
            likely=None,
            probability=None,
            answer=(),
        )
        counts = count_open_set([name] * len(rows), part, no_face.get(name, 0))
        taken_for = sorted({str(other) for other in given[rows] if other and other != name})
        given_to_others = int(np.sum((given == name) & ~mine))
        results.append(PersonResult(name, counts, tuple(taken_for), given_to_others))
    return results


def list_thresholds(predictions: Predictions) -> Floats:
    """Return every distinct threshold in falling order: infinity, then each finite score once.

    >>> nobody = np.zeros(3, dtype=bool)
    >>> predictions = Predictions(("Ann", "Bob", "Ann"), np.array([0.9, 0.8, 0.3]), nobody, nobody)
    >>> list_thresholds(predictions).tolist()
    [inf, 0.9, 0.8, 0.3]
    """
    scores = np.unique(predictions.score[np.isfinite(predictions.score)])
    return np.concatenate([[np.inf], scores[::-1]])


def count_by_threshold(
    truth: Sequence[str | None], predictions: Predictions
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Count the outcomes at every threshold.

    Returns the thresholds in falling order, shape (n,), and the counts of known faces named rightly, known
    faces named wrongly, and strangers named, shape (n, 3).

    >>> nobody = np.zeros(3, dtype=bool)
    >>> predictions = Predictions(("Ann", "Bob", "Ann"), np.array([0.9, 0.8, 0.3]), nobody, nobody)
    >>> thresholds, counts = count_by_threshold(["Ann", "Ann", None], predictions)
    >>> counts.tolist()
    [[0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    steps = list_thresholds(predictions)
    # The type is said because an empty list would become floats.
    known = np.array([name is not None for name in truth], dtype=np.bool_)
    same = np.array(
        [a is not None and a == b for a, b in zip(truth, predictions.likeliest, strict=True)], dtype=np.bool_
    )
    there = np.array([name is not None for name in predictions.likeliest], dtype=np.bool_)
    counts = []
    for kind in (known & same, known & ~same & there, ~known & there):
        scores = np.sort(predictions.score[kind])
        counts.append(len(scores) - np.searchsorted(scores, steps, side="left"))
    return steps, np.stack(counts, axis=1).astype(np.int64)


def find_threshold_by_strangers_named(
    truth: Sequence[str | None], predictions: Predictions, strangers_named: int
) -> float:
    """Return the lowest threshold that names at most `strangers_named` strangers.

    >>> nobody = np.zeros(3, dtype=bool)
    >>> predictions = Predictions(("Ann", "Bob", "Ann"), np.array([0.9, 0.8, 0.3]), nobody, nobody)
    >>> find_threshold_by_strangers_named(["Ann", "Ann", None], predictions, 0)
    0.8
    """
    steps, counts = count_by_threshold(truth, predictions)
    return float(steps[np.flatnonzero(counts[:, 2] <= strangers_named)[-1]])


def find_threshold_by_named_rightly(
    truth: Sequence[str | None], predictions: Predictions, right: int
) -> float | None:
    """Return the highest threshold that names at least `right` faces rightly, or None.

    >>> nobody = np.zeros(3, dtype=bool)
    >>> predictions = Predictions(("Ann", "Bob", "Ann"), np.array([0.9, 0.8, 0.3]), nobody, nobody)
    >>> find_threshold_by_named_rightly(["Ann", "Ann", None], predictions, 1)
    0.9
    """
    steps, counts = count_by_threshold(truth, predictions)
    enough = np.flatnonzero(counts[:, 0] >= right)
    return float(steps[enough[0]]) if len(enough) else None


@dataclass(frozen=True, eq=False)
class ReliabilityDiagram:
    """Claimed against actual accuracy, one entry for each non-empty bin of probability.

    `ece` is the expected calibration error (Naeini et al., 2015): the mean of |actual - claimed|, weighted by
    the number of predictions.
    """

    claimed: Floats
    actual: Floats
    counts: npt.NDArray[np.int64]

    @property
    def ece(self) -> float:
        """The expected calibration error, 0..1; 0 without predictions."""
        total = int(self.counts.sum())
        return float(np.sum(self.counts * np.abs(self.actual - self.claimed)) / total) if total else 0.0


def measure_reliability(
    probability: Floats, right: npt.NDArray[np.bool_], bins: int = RELIABILITY_BINS
) -> ReliabilityDiagram:
    """Compare claimed probabilities with the predictions that were right, in bins of equal width.

    `probability` has shape (n,) and values in 0..1, `right` has shape (n,).

    >>> diagram = measure_reliability(np.array([0.8, 0.8]), np.array([True, False]))
    >>> diagram.actual.tolist(), round(diagram.ece, 3)
    ([0.5], 0.3)
    """
    place = np.minimum((np.asarray(probability) * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    there = counts > 0
    claimed = np.bincount(place, weights=probability, minlength=bins)[there] / counts[there]
    actual = np.bincount(place, weights=right.astype(float), minlength=bins)[there] / counts[there]
    return ReliabilityDiagram(claimed, actual, counts[there])
