"""A trained classifier with the names it knows, and what is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers import STRANGER
from face_det.errors import ModelMismatch
from face_det.recognition.library_versions import version_differences
from face_det.recognition.verifier import Verifier
from face_det.types import UNKNOWN, Classifier, Encodings

ORIGINAL_KIND = "original"
TRAIN_ADVICE = "run 'face-det train'"


@dataclass(frozen=True)
class ModelCard:
    """What is known about a classifier.

    `recipe` is the kind that was asked for, `kind` the one that was trained: `nearest` stands in for another
    recipe while there are too few photos for it. `params` belong to the recipe and are kept for later.
    For the original's classifiers only the recipe is known, from their class.
    """

    kind: str
    """template, svm, xgb and so on, or `original` for a file without a card."""
    recipe: str
    params: Mapping[str, Any]
    classes: tuple[str, ...]
    """The names in the label file, in its order."""
    fingerprint: str | None
    """The fingerprint of the embedder it was trained on; None if that was not recorded."""
    trained_at: str | None
    """UTC, ISO 8601."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Our format and the libraries that trained it, see installed_versions; empty in older files."""
    wanted_by: str = field(default_factory=str)
    """Who wanted this recipe: asked, config, present_model or default (see enrolment.choose_recipe); empty
    in older files."""
    replaced: str = field(default_factory=str)
    """The kind of the model in use before, if it was another one."""


@dataclass(frozen=True, eq=False)
class Model:
    """A classifier and what its answers mean; `labels` name the columns of `proba`."""

    classifier: Classifier
    labels: tuple[str, ...]
    card: ModelCard
    fingerprint: str
    """Twelve hex digits made from classifier and labels; training on other photos changes it."""
    place: str = "model"
    """The classifier's path, for messages."""
    verifier: Verifier | None = None
    """None for the original's models, and for ours from before verifiers existed."""

    @property
    def outdated(self) -> str:
        """How the libraries that trained it differ from those here; "" if they do not or are unknown."""
        return version_differences(self.card.versions, self.card.kind)

    @property
    def recipe(self) -> str:
        """The kind to train when it is trained again."""
        return self.card.recipe

    def proba(self, encodings: Encodings) -> npt.NDArray[np.float64]:
        """Return probabilities of encodings, shape (n, d) -> (n, len(labels)); each row sums to 1."""
        proba = np.zeros((len(encodings), len(self.labels)))
        if len(encodings):
            classes = np.asarray(self.classifier.classes_)
            stranger = self.labels.index(UNKNOWN) if STRANGER in classes else STRANGER
            columns = np.where(classes == STRANGER, stranger, classes)
            # Summed, because Unknown may be both a folder with photos and the class of strangers.
            np.add.at(proba.T, columns, np.asarray(self.classifier.predict_proba(encodings)).T)
        return proba

    def require_fingerprint(self, embedder: str) -> None:
        """Raise ModelMismatch if it was trained on encodings of another network than `embedder`."""
        if self.card.fingerprint not in (None, embedder):
            raise ModelMismatch(
                f"{self.place}: must be trained on encodings of {embedder}, "
                f"got {self.card.fingerprint}; run 'face-det encode' and 'face-det train'"
            )
