"""A trained classifier and the names it knows, and how the two lie on disk.

The classifier's file is the pickled estimator, the label file a LabelEncoder over the names, as the
original's. A model of ours carries a card, as an attribute of the estimator, so that it cannot part
from it and other readers pass over it; a classifier without one is the original's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers import STRANGER
from face_det.errors import ModelMismatch
from face_det.recognition import library_versions
from face_det.recognition.verifier import Verifier
from face_det.types import UNKNOWN, Classifier, Encodings

ORIGINAL_KIND = "original"


TRAIN_ADVICE = "run 'face-det train'"


@dataclass(frozen=True)
class ModelCard:
    """What is known of a classifier.

    `recipe` is the kind that was asked for, `kind` the one that is there: `nearest` stands in for
    another recipe while there are too few photos for it, and `params`, the recipe's, are then kept
    for later. Of the original's classifiers only the recipe is known, by their class.
    """

    kind: str
    """template, svm, xgb, ..., or `original` for a file without a card."""
    recipe: str
    params: Mapping[str, Any]
    classes: tuple[str, ...]
    """The names on the label file, in its order."""
    fingerprint: str | None
    """Of the embedder whose encodings it was trained on; None if that was not noted."""
    trained_at: str | None
    """UTC, ISO 8601."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of our format and of the libraries that trained it, as in versions.here(); empty in older files."""


@dataclass(frozen=True, eq=False)
class Model:
    """A classifier and what its answers mean; `labels` are the columns of `proba`."""

    classifier: Classifier
    labels: tuple[str, ...]
    card: ModelCard
    fingerprint: str
    """Of the two files: twelve hex digits, other after each training on other photos."""
    place: str = "model"
    verifier: Verifier | None = None
    """None for the original's models, and for ours of before there was one."""

    @property
    def outdated(self) -> str:
        """Which libraries of other versions trained it; "" if none did, or if that was not noted."""
        return library_versions.version_differences(self.card.versions, self.card.kind)

    @property
    def recipe(self) -> str:
        """The kind to train when it is trained again."""
        return self.card.recipe

    def proba(self, encodings: Encodings) -> npt.NDArray[np.float64]:
        """Probabilities of encodings, shape (n, 128) -> (n, len(labels)); each row sums to 1."""
        proba = np.zeros((len(encodings), len(self.labels)))
        if len(encodings):
            classes = np.asarray(self.classifier.classes_)
            stranger = self.labels.index(UNKNOWN) if STRANGER in classes else STRANGER
            columns = np.where(classes == STRANGER, stranger, classes)
            # Added up, because Unknown may be somebody with photos and nobody enrolled besides.
            np.add.at(proba.T, columns, np.asarray(self.classifier.predict_proba(encodings)).T)
        return proba

    def require_fingerprint(self, embedder: str) -> None:
        """ModelMismatch if it was trained on the encodings of another network than `embedder`."""
        if self.card.fingerprint not in (None, embedder):
            raise ModelMismatch(
                f"{self.place}: must be trained on encodings of {embedder}, "
                f"got {self.card.fingerprint}; run 'face-det encode' and 'face-det train'"
            )
