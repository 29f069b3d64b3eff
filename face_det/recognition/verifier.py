"""The verifier, which decides whether the person that a classifier proposes is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from face_det.classifiers import TemplateClassifier

GENUINE_PER_IMPOSTOR = 4.0
"""The prior: for each stranger's face, this many faces of people enrolled are expected. Every probability of
who somebody is rests on such a prior; the false accept rate does not."""


@dataclass(frozen=True, eq=False)
class Verifier:
    """Templates and a threshold, made by training.calibration and used by recognition.decision."""

    template: TemplateClassifier
    """The calibrated templates of all people; the model's classifier itself if that is a template."""
    threshold: float
    """The lowest score at which somebody may be named."""
    rate: float
    """The false accept rate that the threshold was set for."""
    impostors: int
    """How many different people were compared with templates of others."""
    needed: int
    """How many impostors it takes to show the rate by counting (rule of three)."""

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
        }

    @classmethod
    def from_dict(cls, fields: Any, classifier: Any, shape: tuple[int, int]) -> Verifier:
        """Read what `as_dict` returned, for templates of the given shape, (people, dimensions).

        Raises ValueError, or what a damaged template ends in: LookupError, TypeError or AttributeError.
        """
        template = classifier if fields["template"] is None else fields["template"]
        if not isinstance(template, TemplateClassifier):
            raise TypeError(f"templates must be a TemplateClassifier, got {type(template).__name__}")
        numbers = [float(fields[key]) for key in ("threshold", "rate", "impostors", "needed")]
        if not np.isfinite([*numbers, template.slope_, template.offset_, template.even_distance]).all():
            raise ValueError("the threshold and the calibration must be finite numbers")
        if {template.templates_.shape, template.means_.shape} != {shape}:
            raise ValueError(f"templates must have the shape {shape}, got {template.templates_.shape}")
        # Damage not foreseen here must show now, not at the first face.
        template.scores(np.zeros((1, shape[1])))
        return cls(template, numbers[0], numbers[1], int(numbers[2]), int(numbers[3]))
