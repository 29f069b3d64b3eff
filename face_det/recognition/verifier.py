"""The verifier, which decides whether the person that a classifier proposes is named."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from face_det.classifiers import ScoringClassifier

GENUINE_PER_IMPOSTOR = 4.0
"""The prior: for each stranger's face, this many faces of people enrolled are expected. Every probability of
who somebody is rests on such a prior; the false accept rate does not."""

OLDER_TAIL = 0.08
"""The tail of models that were saved without one: the largest of any embedder's."""


@dataclass(frozen=True, eq=False)
class Verifier:
    """Templates and a threshold, made by training.calibration and used by recognition.decision."""

    template: ScoringClassifier
    """The calibrated templates of all people; the model's classifier itself if that scores people."""
    threshold: float
    """The lowest score at which somebody may be named."""
    rate: float
    """The false accept rate that the threshold was set for."""
    impostors: int
    """How many different people were compared with templates of others."""
    needed: int
    """How many impostors it takes to show the rate by counting (rule of three)."""
    tail: float = OLDER_TAIL
    """The scale on which strangers' best scores fall off at the threshold: at `threshold` + x, e^(-x / tail)
    times as many are left."""

    def threshold_for(self, looks: float) -> float:
        """Return the threshold for somebody who may be named by any of several encodings of theirs.

        Each then has the rate divided by their number (Bonferroni's correction), so that strangers are named
        no more often than by a single one, however alike the encodings are.
        """
        return self.threshold + self.tail * math.log(looks)

    @property
    def gate_distance(self) -> float:
        """The distance to somebody within which a name may be given."""
        return math.exp(-self.threshold / 2)

    @property
    def claimed(self) -> bool:
        """True if there are enough impostors to claim the rate; otherwise it is an estimate."""
        return self.impostors >= self.needed

    def as_dict(self, classifier: object) -> dict[str, Any]:
        """Return what is pickled with the classifier; the template only if it is another object."""
        return {
            "template": None if self.template is classifier else self.template,
            "threshold": self.threshold,
            "rate": self.rate,
            "impostors": self.impostors,
            "needed": self.needed,
            "tail": self.tail,
        }

    @classmethod
    def from_dict(cls, fields: Any, classifier: Any, shape: tuple[int, int]) -> Verifier:
        """Read what `as_dict` returned, for templates of the given shape, (people, dimensions).

        Raises ValueError, or what a damaged template ends in: LookupError, TypeError or AttributeError.
        """
        template = classifier if fields["template"] is None else fields["template"]
        if not isinstance(template, ScoringClassifier):
            raise TypeError(f"templates must be a classifier with scores, got {type(template).__name__}")
        numbers = [float(fields[key]) for key in ("threshold", "rate", "impostors", "needed")]
        numbers.append(float(fields.get("tail", OLDER_TAIL)))
        if not np.isfinite([*numbers, template.slope_, template.offset_, template.even_distance]).all():
            raise ValueError("the threshold and the calibration must be finite numbers")
        if numbers[-1] < 0:
            raise ValueError(f"the tail must be at least 0, got {numbers[-1]:g}")
        if {template.templates_.shape, template.means_.shape} != {shape}:
            raise ValueError(f"templates must have the shape {shape}, got {template.templates_.shape}")
        # Damage not foreseen here must show now, not at the first face.
        template.scores(np.zeros((1, shape[1])))
        return cls(template, numbers[0], numbers[1], int(numbers[2]), int(numbers[3]), numbers[4])
