"""What all models of one training share: encodings, names, and how a model is put together."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt

from face_det.classifiers import (
    CLASSIFIERS,
    Recipe,
    RowIndices,
    Targets,
    TemplateClassifier,
    burst_distance,
    in_same_burst,
)
from face_det.embedders import distance_thresholds
from face_det.gallery import Gallery
from face_det.recognition import Model, ModelCard, Verifier, assemble_model, installed_versions
from face_det.training import calibration
from face_det.training.background import load_mean_face
from face_det.types import UNKNOWN, Classifier, Encodings

TEMPLATE_RECIPE = "template"


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Encodings `X` (n, d) of one embedder, and `y` (n,), whose each is: numbers of `people`."""

    X: Encodings
    y: Targets
    people: tuple[str, ...]
    embedder: str
    fingerprint: str | None
    false_accept_rate: float

    @classmethod
    def of(cls, gallery: Gallery, embedder: str, false_accept_rate: float) -> TrainingSet:
        """Of the encodings that an embedder made."""
        people, y = _number_people(gallery)
        noted = gallery.fingerprint_of(embedder)
        return cls(gallery.of(embedder), y, people, embedder, noted, false_accept_rate)

    @property
    def strangers(self) -> int | None:
        """The number of Unknown, if there are photos of strangers."""
        return self.people.index(UNKNOWN) if UNKNOWN in self.people else None

    def again(self, asked: RowIndices, learnt: RowIndices) -> npt.NDArray[np.bool_]:
        """Which of these photos are of a moment of which the same person's are learnt."""
        near = burst_distance(self.X, distance_thresholds(self.embedder))
        return in_same_burst(self.X[asked], self.y[asked], self.X[learnt], self.y[learnt], near)

    def recipe(self, name: str) -> Recipe:
        """A recipe of the menu for these encodings."""
        options: dict[str, Any] = {"geometry": distance_thresholds(self.embedder)}
        if name == TEMPLATE_RECIPE:
            options |= {"strangers": self.strangers, "mean_face": load_mean_face(self.embedder)}
        recipe: Recipe = CLASSIFIERS.create(name, **options)
        return recipe

    def card(self, kind: str, recipe: str, params: Mapping[str, Any]) -> ModelCard:
        """Dated now."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return ModelCard(kind, recipe, dict(params), self.people, self.fingerprint, now, installed_versions())

    def model(self, fitted: Classifier, kind: str, recipe: str, params: Mapping[str, Any]) -> Model:
        """The model of a classifier that was trained on all photos, with what decides."""
        return assemble_model(fitted, self.card(kind, recipe, params), self.verifier(fitted))

    def verifier(self, fitted: Classifier) -> Verifier | None:
        """The templates, calibrated, and the threshold; None if nobody but Unknown is there."""
        if self.people == (UNKNOWN,):
            return None
        return self._verified(fitted) if isinstance(fitted, TemplateClassifier) else self._beside

    @functools.cached_property
    def _beside(self) -> Verifier:
        """What decides beside a classifier that is no template: the same for all of them."""
        made = self.recipe(TEMPLATE_RECIPE).refit(self.X, self.y, {})
        assert isinstance(made, TemplateClassifier)
        return self._verified(made)

    def _verified(self, template: TemplateClassifier) -> Verifier:
        return calibration.calibrate_verifier(template, self.X, self.y, self.embedder, self.false_accept_rate)


def _number_people(gallery: Gallery) -> tuple[tuple[str, ...], Targets]:
    """Names, sorted as a LabelEncoder sorts them, and the number of each photo's."""
    people = gallery.people
    numbers = {name: number for number, name in enumerate(people)}
    return people, np.array([numbers[name] for name in gallery.names], dtype=np.int64)
