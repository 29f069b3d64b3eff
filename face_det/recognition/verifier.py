"""What decides whether the person that a classifier proposes is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from face_det.classifiers import TemplateClassifier


@dataclass(frozen=True, eq=False)
class Verifier:
    """Templates and a threshold, made by identity.verification and used by identity.decision."""

    template: TemplateClassifier
    """Of all people, calibrated; the classifier itself if that is a template."""
    threshold: float
    """The score from which on somebody may be named."""
    rate: float
    """The false accept rate that was wanted."""
    impostors: int
    """Different people who are not the one they were compared with."""
    needed: int
    """So many would show the rate by counting (rule of three)."""

    @property
    def claimed(self) -> bool:
        """Whether the impostors are enough to claim the rate; otherwise it is an estimate."""
        return self.impostors >= self.needed

    def noted(self, classifier: object) -> dict[str, Any]:
        """As it goes into a pickle, with the classifier; of a template that is the classifier, without it."""
        return {
            "template": None if self.template is classifier else self.template,
            "threshold": self.threshold,
            "rate": self.rate,
            "impostors": self.impostors,
            "needed": self.needed,
        }

    @classmethod
    def read(cls, noted: Any, classifier: Any, shape: tuple[int, int]) -> Verifier:
        """From what `noted` gave, for templates of that shape: people, dimensions.

        Raises ValueError, or what a damaged template ends in: LookupError, TypeError, AttributeError.
        """
        template = classifier if noted["template"] is None else noted["template"]
        if not isinstance(template, TemplateClassifier):
            raise TypeError(f"templates must be a TemplateClassifier, got {type(template).__name__}")
        numbers = [float(noted[key]) for key in ("threshold", "rate", "impostors", "needed")]
        if not np.isfinite([*numbers, template.slope_, template.offset_, template.even_distance]).all():
            raise ValueError("the threshold and the calibration must be finite numbers")
        if {template.templates_.shape, template.means_.shape} != {shape}:
            raise ValueError(f"templates must have the shape {shape}, got {template.templates_.shape}")
        # What is damaged in a way not foreseen here is to fail now, and not at the first face.
        template.scores(np.zeros((1, shape[1])))
        return cls(template, numbers[0], numbers[1], int(numbers[2]), int(numbers[3]))
