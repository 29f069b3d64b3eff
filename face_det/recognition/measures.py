"""What is measured about a face before it gets a name, and how much of it a name requires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from face_det.classifiers import TemplateScores
from face_det.recognition.verifier import Verifier
from face_det.types import Encodings

MIN_RATIO_TO_NEXT = 2.0
"""Somebody is named only if at least this many times as likely as the next person; neither twin is."""

Bound = Literal["at_least", "at_most"]
"""Which side of `needed` a name requires."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition for a name: what was measured, and what is needed.

    `kind` is `score` (-ln of a squared distance, what strangers reach only at the wanted false accept rate),
    `proba` (0..1), `ratio` (times as likely as the next person) or `distance` (to the mean of the person's
    photos, in the embedder's own units).
    """

    kind: str
    reached: float
    needed: float

    @property
    def bound(self) -> Bound:
        """Whether `needed` is the least that must be reached, or the most that may be.

        >>> Requirement("distance", 0.5, 0.6).bound, Requirement("proba", 0.5, 0.6).bound
        ('at_most', 'at_least')
        """
        return "at_most" if self.kind == "distance" else "at_least"

    @property
    def met(self) -> bool:
        """True if this does not stand against the name.

        >>> Requirement("distance", 0.5, 0.6).met, Requirement("proba", 0.5, 0.6).met
        (True, False)
        """
        return self.reached <= self.needed if self.bound == "at_most" else self.reached >= self.needed


@dataclass(frozen=True, eq=False, slots=True)
class Measures:
    """About n faces, each of shape (n,): the nearest person's number, score, probability, that of whoever is
    next, and the distance to the mean of the nearest person's photos."""

    person: npt.NDArray[np.intp]
    score: _Floats
    probability: _Floats
    next_probability: _Floats
    distance: _Floats

    def passed(
        self, verifier: Verifier, min_proba: float, looks: Sequence[int] | None = None
    ) -> npt.NDArray[np.bool_]:
        """Return which faces are named, shape (n,), if each is one of so many `looks` at somebody."""
        threshold: float | _Floats = verifier.threshold
        if looks is not None:
            threshold = np.array([verifier.threshold_for(count) for count in looks])
        named: npt.NDArray[np.bool_] = (
            (self.score >= threshold)
            & (self.probability >= min_proba)
            & (self.probability >= MIN_RATIO_TO_NEXT * self.next_probability)
            & (self.distance <= verifier.template.even_distance)
        )
        return named

    def requirements(self, verifier: Verifier, min_proba: float) -> list[Requirement]:
        """Return what `passed` asks of the first face, with what was reached."""
        likely, other = float(self.probability[0]), float(self.next_probability[0])
        found = [
            Requirement("score", float(self.score[0]), verifier.threshold),
            Requirement("ratio", likely / max(other, 1e-9), MIN_RATIO_TO_NEXT),
            Requirement("distance", float(self.distance[0]), float(verifier.template.even_distance)),
        ]
        return [*found, Requirement("proba", min(1.0, likely), min_proba)] if min_proba else found


def measure_faces(
    verifier: Verifier, encodings: Encodings, scores: TemplateScores, people: _Floats
) -> Measures:
    """Measure encodings, shape (n, d), by the verifier's template.

    `scores` and the probabilities `people` have shape (n, people). The scores of people who are out of the
    question are -inf.
    """
    person = people.argmax(axis=1)
    rows = np.arange(len(person))
    others = people.copy()
    others[rows, person] = 0.0
    return Measures(
        person,
        scores[rows, person],
        people[rows, person],
        others.max(axis=1),
        verifier.template.own_distances(encodings, person),
    )
