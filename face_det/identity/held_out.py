"""How good a classifier is on photos that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import classification_report


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What a classifier said about the photos held out; the three have one entry for each of them."""

    true: tuple[str, ...]
    said: tuple[str, ...]
    probability: npt.NDArray[np.float64]

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who was shown or said, sorted: rows and columns of `matrix`."""
        return tuple(sorted({*self.true, *self.said}))

    @property
    def accuracy(self) -> float:
        """Share of photos whose likeliest person is the right one, however unlikely."""
        return float(np.mean([true == said for true, said in zip(self.true, self.said, strict=True)]))

    def named(self, min_proba: float) -> tuple[float, float]:
        """Shares of the photos given the right and a wrong name at that minProba; the rest got none."""
        sure = self.probability >= min_proba
        right = np.array([true == said for true, said in zip(self.true, self.said, strict=True)])
        return float(np.mean(sure & right)), float(np.mean(sure & ~right))

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
