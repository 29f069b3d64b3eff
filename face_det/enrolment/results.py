"""What a Learner is told, and what it answers: plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face_det.gallery import EncodeReport
from face_det.recognition import AUTO_EMBEDDER, Recognizer
from face_det.training import TrainingResult
from face_det.types import Face


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the photos, the encodings and the model lie."""

    dataset: Path
    encodings: Path
    model: Path
    labels: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the configuration asks for.

    `kind` of classifier: AUTO is what the model file holds. `embedder`: AUTO is the one that the
    model was trained on. `false_accept_rate`: the share of strangers who may be named.
    """

    kind: str = AUTO_EMBEDDER
    embedder: str = AUTO_EMBEDDER
    false_accept_rate: float = 0.002
    auto_retrain: bool = False
    """Whether a model that does not fit is no error, because it is trained again (Learner.mend)."""


@dataclass(frozen=True, slots=True)
class EnrolResult:
    """What an enrolment did; `live` is to be swapped in."""

    live: Recognizer
    name: str
    photo: Path
    images: int
    face: Face


@dataclass(frozen=True, slots=True)
class ForgetResult:
    """What a forget removed; `live` is to be swapped in."""

    live: Recognizer
    images: int
    encodings: int


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """What a training did; `live` is to be swapped in."""

    live: Recognizer
    report: EncodeReport
    result: TrainingResult


def retraining_as_json(retrained: RetrainResult) -> Mapping[str, Any]:
    """A training's outcome as plain values."""
    return {
        "encoded": retrained.report.encoded,
        "reused": retrained.report.reused,
        "leftOut": dict(Counter(item.reason.value for item in retrained.report.left_out)),
        "people": list(retrained.report.gallery.people),
    }
