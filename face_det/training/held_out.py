"""How good a classifier is on photos that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import classification_report

from face_det.recognition import DecisionRule
from face_det.types import UNKNOWN


@dataclass(frozen=True, slots=True)
class NamingCounts:
    """Photos of people, so many of them named rightly and wrongly; of strangers, so many named."""

    people: int
    right: int
    wrong: int
    strangers: int
    strangers_named: int


@dataclass(frozen=True, eq=False)
class HeldOutResult:
    """What a classifier said about the photos held out: who it was, who is likeliest, how likely that is,
    and, by a rule, who is named (None: nobody), one entry for each of them."""

    true: tuple[str, ...]
    said: tuple[str, ...]
    probability: npt.NDArray[np.float64]
    decided: Callable[[DecisionRule], Sequence[str | None]]

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who was shown or said, sorted: rows and columns of `matrix`."""
        return tuple(sorted({*self.true, *self.said}))

    @property
    def accuracy(self) -> float:
        """Share of photos whose likeliest person is the right one, however unlikely."""
        return float(np.mean([true == said for true, said in zip(self.true, self.said, strict=True)]))

    def named(self, rule: DecisionRule) -> NamingCounts:
        """What becomes of them as the daemon decides by that rule; Unknown is nobody's name."""
        pairs = [*zip(self.true, self.decided(rule), strict=True)]
        people = [(true, given) for true, given in pairs if true != UNKNOWN]
        given = [(true, name) for true, name in people if name not in (None, UNKNOWN)]
        right = sum(true == name for true, name in given)
        strangers = [name for true, name in pairs if true == UNKNOWN]
        named = sum(name not in (None, UNKNOWN) for name in strangers)
        return NamingCounts(len(people), right, len(given) - right, len(strangers), named)

    def matrix(self) -> npt.NDArray[np.int64]:
        """Photos by true (row) and said (column) person, in the order of `names`."""
        names = np.array(self.names)
        counts = np.zeros((len(names), len(names)), dtype=np.int64)
        np.add.at(counts, (np.searchsorted(names, self.true), np.searchsorted(names, self.said)), 1)
        return counts

    def report(self) -> Mapping[str, Any]:
        """scikit-learn's classification report: precision, recall, f1-score and support a person."""
        found: Mapping[str, Any] = classification_report(
            self.true, self.said, labels=self.names, output_dict=True, zero_division=0
        )
        return found

    def report_text(self) -> str:
        """The same as a table."""
        text: str = classification_report(self.true, self.said, labels=self.names, zero_division=0)
        return text
