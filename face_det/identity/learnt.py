"""What a Learner is told, and what it answers: plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face_det.engine import Engine
from face_det.faces import Face
from face_det.identity.encode import EncodeReport
from face_det.identity.engines import AUTO
from face_det.identity.model import Model
from face_det.identity.training import TrainingResult


@dataclass(frozen=True, slots=True)
class Places:
    """Where the photos, the encodings and the model lie."""

    dataset: Path
    encodings: Path
    model: Path
    labels: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the configuration asks for.

    `kind` of classifier: AUTO is what the model file holds. `embedder`: AUTO is the one that the
    model was trained on. `false_accept_rate`: the share of strangers who may be named.
    """

    kind: str = AUTO
    embedder: str = AUTO
    false_accept_rate: float = 0.002
    auto_retrain: bool = False
    """Whether a model that does not fit is no error, because it is trained again (Learner.mend)."""


@dataclass(frozen=True, slots=True)
class Live:
    """What answers: a model, if one was trained, and the engine whose encodings it takes."""

    engine: Engine
    model: Model | None
    stale: str | None = None
    """Why the model is to be trained again, if it is: it does not fit, or is of other libraries."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What an enrolment did; `live` is to be swapped in."""

    live: Live
    name: str
    photo: Path
    images: int
    face: Face


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a forget removed; `live` is to be swapped in."""

    live: Live
    images: int
    encodings: int


@dataclass(frozen=True, slots=True)
class Retrained:
    """What a training did; `live` is to be swapped in."""

    live: Live
    report: EncodeReport
    result: TrainingResult


def summary(retrained: Retrained) -> Mapping[str, Any]:
    """A training's outcome as plain values."""
    return {
        "encoded": retrained.report.encoded,
        "reused": retrained.report.reused,
        "leftOut": dict(Counter(item.reason.value for item in retrained.report.left_out)),
        "people": list(retrained.report.gallery.people),
    }
