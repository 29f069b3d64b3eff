"""Measures how good a classifier is on photos that it has not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.recognition import DecisionRule
from face_det.types import UNKNOWN


@dataclass(frozen=True, slots=True)
class NamingCounts:
    """How many photos of people were named, rightly and wrongly, and how many photos of strangers."""

    people: int
    right: int
    wrong: int
    strangers: int
    strangers_named: int


@dataclass(frozen=True, eq=False)
class HeldOutResult:
    """What a classifier predicted for the held-out photos, one entry for each photo.

    `true` is who it shows, `predicted` the likeliest person, `probability` how likely that person is, and
    `names_by_rule` returns who is named under a rule (None: nobody).
    """

    true: tuple[str, ...]
    predicted: tuple[str, ...]
    probability: npt.NDArray[np.float64]
    names_by_rule: Callable[[DecisionRule], Sequence[str | None]]

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody shown or predicted, sorted: the rows and columns of `matrix`."""
        return tuple(sorted({*self.true, *self.predicted}))

    @property
    def accuracy(self) -> float:
        """The share of photos whose likeliest person is the right one, however unlikely."""
        pairs = zip(self.true, self.predicted, strict=True)
        return float(np.mean([true == predicted for true, predicted in pairs]))

    def named(self, rule: DecisionRule) -> NamingCounts:
        """Count who is named if the daemon decides by that rule; Unknown is nobody's name."""
        pairs = [*zip(self.true, self.names_by_rule(rule), strict=True)]
        people = [(true, given) for true, given in pairs if true != UNKNOWN]
        given = [(true, name) for true, name in people if name not in (None, UNKNOWN)]
        right = sum(true == name for true, name in given)
        strangers = [name for true, name in pairs if true == UNKNOWN]
        named = sum(name not in (None, UNKNOWN) for name in strangers)
        return NamingCounts(len(people), right, len(given) - right, len(strangers), named)

    def confused(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs of people who are often taken for each other, sorted; Unknown is nobody.

        A pair counts if a quarter of the held-out photos of the two went to the other one.
        """
        pairs = [
            (true, predicted)
            for true, predicted in zip(self.true, self.predicted, strict=True)
            if UNKNOWN not in (true, predicted)
        ]
        wrong = Counter((min(pair), max(pair)) for pair in pairs if pair[0] != pair[1])
        photos = Counter(true for true, _ in pairs)
        often = [(one, other) for (one, other), n in wrong.items() if 4 * n >= photos[one] + photos[other]]
        return tuple(sorted(often))

    def matrix(self) -> npt.NDArray[np.int64]:
        """Return the confusion matrix, true person (row) by predicted person (column), ordered as `names`."""
        names = np.array(self.names)
        counts = np.zeros((len(names), len(names)), dtype=np.int64)
        np.add.at(counts, (np.searchsorted(names, self.true), np.searchsorted(names, self.predicted)), 1)
        return counts

    def report(self) -> Mapping[str, Any]:
        """Return scikit-learn's classification report: precision, recall, F1 score and support per person."""
        found: Mapping[str, Any] = self._classification_report(output_dict=True)
        return found

    def report_text(self) -> str:
        """Return the classification report as a table."""
        text: str = self._classification_report()
        return text

    def _classification_report(self, **options: Any) -> Any:
        # Only here: scikit-learn takes most of a second to import, and not every start of a program trains.
        from sklearn.metrics import classification_report

        return classification_report(self.true, self.predicted, labels=self.names, zero_division=0, **options)
