"""The options and results of the Enroller: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.gallery import EncodeReport, list_photos
from face_det.recognition import AUTO_EMBEDDER, DecisionRule, Model, Recognizer
from face_det.training import DEFAULT_FALSE_ACCEPT_RATE, TrainingResult
from face_det.types import UNKNOWN, Face


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of the photos, the encodings, the model with its labels, and the encoding cache.

    `changes` is the folder of the journal of changes to photos, if one is kept, and `bodies` the file of what
    is known of people's bodies, if there may be one.
    """

    dataset: Path
    encodings: Path
    model: Path
    labels: Path
    cache: Path
    changes: Path | None = None
    bodies: Path | None = None

    @property
    def voices(self) -> VoicePaths:
        """The files of voices; they need not exist."""
        return VoicePaths.beside(self.encodings)


@dataclass(frozen=True, slots=True)
class VoicePaths:
    """The files of voices, in the folder of encodings.pickle."""

    encodings: Path
    model: Path
    labels: Path

    @classmethod
    def beside(cls, encodings_path: Path) -> VoicePaths:
        """Return the files that belong to the encodings of faces at that path.

        >>> VoicePaths.beside(Path("/srv/encodings.pickle")).model.name
        'voice_recognizer.pickle'
        """
        return cls(
            encodings_path.with_name("voice_encodings.pickle"),
            encodings_path.with_name("voice_recognizer.pickle"),
            encodings_path.with_name("voice_labels.pickle"),
        )

    @property
    def files(self) -> tuple[Path, Path, Path]:
        """All of them."""
        return self.encodings, self.model, self.labels


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the configuration says about the model.

    - `kind`: the classifier; "auto" keeps that of the model file.
    - `embedder`: "auto" keeps the one that the model was trained on.
    - `false_accept_rate`: the share of strangers wrongly named that is accepted.
    - `auto_retrain`: train a model again if it does not fit (`Enroller.retrain_stale`), instead of raising
      an error.
    - `rule`: how a recognizer decides on names.
    """

    kind: str = AUTO_EMBEDDER
    embedder: str = AUTO_EMBEDDER
    false_accept_rate: float = DEFAULT_FALSE_ACCEPT_RATE
    auto_retrain: bool = False
    rule: DecisionRule = field(default_factory=DecisionRule)


@dataclass(frozen=True, slots=True)
class EnrolResult:
    """What an enrolment did: the name, the stored photo, the person's number of photos, the face; and the
    recognizer to swap in. `encoding` is that of the model's embedder, shape (dimensions,). `change` is the id
    by which to undo it; None if the photo was there before."""

    recognizer: Recognizer
    name: str
    photo: Path
    images: int
    face: Face
    encoding: npt.NDArray[np.float64]
    change: str | None = None


@dataclass(frozen=True, slots=True)
class SeveralResult:
    """What an enrolment of several pictures did: the name, the photos that were not there before, by their
    places among the pictures, why others were left out; and the recognizer to swap in."""

    recognizer: Recognizer
    name: str
    photos: Mapping[int, Path]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForgetResult:
    """How many photos and encodings were removed, and the recognizer to swap in."""

    recognizer: Recognizer
    images: int
    encodings: int


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """What a training did, and the recognizer to swap in."""

    recognizer: Recognizer
    report: EncodeReport
    result: TrainingResult


def count_photos(dataset: Path, model: Model | None) -> dict[str, int]:
    """Return the number of photos of everybody enrolled, sorted by name, without the folder of strangers.

    People whom only the model knows have none.

    >>> count_photos(Path("no such folder"), None)
    {}
    """
    counts = {name: len(paths) for name, paths in list_photos(dataset).items()}
    for name in model.labels if model is not None else ():
        counts.setdefault(name, 0)
    return {name: counts[name] for name in sorted(counts) if name != UNKNOWN}


def retraining_as_json(retrained: RetrainResult) -> Mapping[str, Any]:
    """Return the counts of a retraining as JSON values: photos encoded, reused and left out, and people."""
    return {
        "encoded": retrained.report.encoded,
        "reused": retrained.report.reused,
        "leftOut": retrained.report.count_left_out(),
        "people": list(retrained.report.gallery.people),
    }
