"""What a Learner is told, and what it answers: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from face_det.engine import Engine
from face_det.recognition.model import Model


@dataclass(frozen=True, slots=True)
class Recognizer:
    """What answers: a model, if one was trained, and the engine whose encodings it takes."""

    engine: Engine
    model: Model | None
    stale: str | None = None
    """Why the model is to be trained again, if it is: it does not fit, or is of other libraries."""
