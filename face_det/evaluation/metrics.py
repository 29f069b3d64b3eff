"""Answers about faces whose person is known, and what they come to: counts, intervals, F1, calibration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Z95 = 1.959963984540054
"""Standard normal quantile of 97.5 %."""
RELIABILITY_BINS = 10
"""Of the reliability diagram, equally wide."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """So many of so many, with Wilson's 95 % interval."""

    count: int
    total: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing is 0."""
        return self.count / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval (E. B. Wilson, 1927), which also holds for shares near 0 and 1."""
        if not self.total:
            return 0.0, 1.0
        n, p, z2 = self.total, self.value, Z95 * Z95
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        # By the formula the ends are 0 and 1 here; rounding must not say otherwise.
        low = 0.0 if self.count == 0 else max(0.0, middle - half)
        high = 1.0 if self.count == n else min(1.0, middle + half)
        return low, high


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a rule says about some faces, an entry each.

    `likeliest` is the person nearest to being named, `score` how sure the rule is of that one (the
    higher the surer), `named` whether the rule names them, `uncertain` whether it says that it might
    be them. A rule that holds somebody for a stranger names nobody.

    Rules that claim probabilities have more: `likely` is that of the likeliest person; `answer` is
    what is answered (None: a stranger), and `probability` what it is claimed to be right with.
    """

    likeliest: tuple[str | None, ...]
    score: Floats
    named: npt.NDArray[np.bool_]
    uncertain: npt.NDArray[np.bool_]
    likely: Floats | None = None
    probability: Floats | None = None
    answer: tuple[str | None, ...] = ()

    def at(self, threshold: float) -> Predictions:
        """The same rule, had it named everybody with that score or more and nobody else."""
        there = np.array([name is not None for name in self.likeliest], dtype=np.bool_)
        named = (self.score >= threshold) & there
        return replace(self, named=named, uncertain=np.zeros_like(named))

    def by_probability(self) -> Predictions:
        """The same rule with the likeliest person's probability for its score."""
        return self if self.likely is None else replace(self, score=self.likely)


@dataclass(frozen=True, slots=True)
class OpenSetCounts:
    """The open-set table: what became of known people's photos and of strangers'."""

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
        """Photos of people enrolled; those in which no face was found count as not named."""
        return self.right + self.wrong + self.uncertain + self.unnamed + self.known_no_face

    @property
    def strangers(self) -> int:
        """Photos of others."""
        return (
            self.strangers_named + self.strangers_uncertain + self.strangers_unnamed + self.strangers_no_face
        )

    @property
    def f1(self) -> float:
        """Micro F1 over the people enrolled: 2 TP / (2 TP + FP + FN).

        A name given wrongly is a false positive, to a stranger as well, and a known person's photo
        without its right name a false negative (open-set F1; Mendes Junior et al., Nearest neighbors
        distance ratio open-set classifier, 2017).
        """
        positives = self.right + self.wrong + self.strangers_named
        return 2 * self.right / (positives + self.known) if positives + self.known else 0.0

    def shares(self) -> Iterator[tuple[str, Proportion]]:
        """The lines of the table: what, and how many of how many."""
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
    truth: Sequence[str | None], answers: Predictions, known_no_face: int = 0, strangers_no_face: int = 0
) -> OpenSetCounts:
    """Count the answers; `truth` is who each face is, None a stranger. Faces not found are extra."""
    counts = dict.fromkeys(
        ("right", "wrong", "uncertain", "unnamed", "named", "stranger_uncertain", "stranger"), 0
    )
    for name, likeliest, named, uncertain in zip(
        truth, answers.likeliest, answers.named, answers.uncertain, strict=True
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
    """One person's line; `taken_for` is who they were wrongly named as, `lent` how often others got it."""

    name: str
    table: OpenSetCounts
    taken_for: tuple[str, ...]
    lent: int


def count_per_person(
    truth: Sequence[str | None], answers: Predictions, no_face: dict[str, int] | None = None
) -> list[PersonResult]:
    """A line for everybody who was tested, by name."""
    truths = np.array([name or "" for name in truth], dtype=object)
    given = np.array(
        [name if named else "" for name, named in zip(answers.likeliest, answers.named, strict=True)],
        dtype=object,
    )
    no_face = no_face or {}
    lines = []
    for name in sorted({name for name in truth if name} | set(no_face)):
        mine = truths == name
        rows = np.flatnonzero(mine)
        part = replace(
            answers,
            likeliest=tuple(answers.likeliest[row] for row in rows),
            score=answers.score[rows],
            named=answers.named[rows],
            uncertain=answers.uncertain[rows],
            likely=None,
            probability=None,
            answer=(),
        )
        table = count_open_set([name] * len(rows), part, no_face.get(name, 0))
        mistaken = sorted({str(other) for other in given[rows] if other and other != name})
        lines.append(PersonResult(name, table, tuple(mistaken), int(np.sum((given == name) & ~mine))))
    return lines


def list_thresholds(answers: Predictions) -> Floats:
    """Every threshold that makes a difference, falling: infinity, then each score once."""
    scores = np.unique(answers.score[np.isfinite(answers.score)])
    return np.concatenate([[np.inf], scores[::-1]])


def count_by_threshold(
    truth: Sequence[str | None], answers: Predictions
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """(thresholds, counts): for each threshold of `thresholds` (right, wrong, strangers named)."""
    steps = list_thresholds(answers)
    known = np.array([name is not None for name in truth])
    same = np.array([a is not None and a == b for a, b in zip(truth, answers.likeliest, strict=True)])
    there = np.array([name is not None for name in answers.likeliest])
    counts = []
    for kind in (known & same, known & ~same & there, ~known & there):
        scores = np.sort(answers.score[kind.astype(bool)])
        counts.append(len(scores) - np.searchsorted(scores, steps, side="left"))
    return steps, np.stack(counts, axis=1).astype(np.int64)


def find_threshold_by_strangers_named(
    truth: Sequence[str | None], answers: Predictions, strangers_named: int
) -> float:
    """The lowest threshold at which at most so many strangers get a name: the rule's best at that rate."""
    steps, counts = count_by_threshold(truth, answers)
    return float(steps[np.flatnonzero(counts[:, 2] <= strangers_named)[-1]])


def find_threshold_by_named_rightly(
    truth: Sequence[str | None], answers: Predictions, right: int
) -> float | None:
    """The highest threshold at which so many are named rightly; None if there is none."""
    steps, counts = count_by_threshold(truth, answers)
    enough = np.flatnonzero(counts[:, 0] >= right)
    return float(steps[enough[0]]) if len(enough) else None


@dataclass(frozen=True, eq=False)
class ReliabilityDiagram:
    """Claimed against actual: a row a bin of probability that holds answers.

    `ece` is the expected calibration error (Naeini et al., 2015): the mean of |actual - claimed| over the
    answers.
    """

    claimed: Floats
    actual: Floats
    counts: npt.NDArray[np.int64]

    @property
    def ece(self) -> float:
        """The mean distance; 0 of no answers."""
        total = int(self.counts.sum())
        return float(np.sum(self.counts * np.abs(self.actual - self.claimed)) / total) if total else 0.0


def measure_reliability(
    probability: Floats, right: npt.NDArray[np.bool_], bins: int = RELIABILITY_BINS
) -> ReliabilityDiagram:
    """Compare what was claimed, in 0..1, with what was right, in bins of equal width."""
    place = np.minimum((np.asarray(probability) * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    there = counts > 0
    claimed = np.bincount(place, weights=probability, minlength=bins)[there] / counts[there]
    actual = np.bincount(place, weights=right.astype(float), minlength=bins)[there] / counts[there]
    return ReliabilityDiagram(claimed, actual, counts[there])
