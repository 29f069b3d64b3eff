"""What all models of one training share: encodings, names, and how a model is assembled."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

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
    names_by_itself,
    required_embedder,
)
from face_det.embedders import distance_thresholds
from face_det.gallery import Gallery
from face_det.recognition import Model, ModelCard, Verifier, assemble_model, installed_versions
from face_det.training.background import load_mean_face
from face_det.training.calibration import calibrate_verifier, verifier_from_scores
from face_det.training.comparison_scores import ComparisonScores, score_comparisons
from face_det.training.pixel_scores import score_unseen_photos
from face_det.types import UNKNOWN, Classifier, Encodings

if TYPE_CHECKING:
    from face_det.classifiers import PixelClassifier

TEMPLATE_RECIPE = "template"


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Encodings `X`, shape (n, d), of one embedder, and whose they are: `y`, shape (n,), indexes `people`."""

    X: Encodings
    y: Targets
    people: tuple[str, ...]
    embedder: str
    fingerprint: str | None
    false_accept_rate: float

    @classmethod
    def from_gallery(cls, gallery: Gallery, embedder: str, false_accept_rate: float) -> TrainingSet:
        """Take an embedder's encodings from a gallery; raises BadEncodings if it has none."""
        people, y = _number_people(gallery)
        fingerprint = gallery.fingerprint_of(embedder)
        return cls(gallery.of(embedder), y, people, embedder, fingerprint, false_accept_rate)

    @property
    def strangers(self) -> int | None:
        """The number of Unknown; None if there are no photos of strangers."""
        return self.people.index(UNKNOWN) if UNKNOWN in self.people else None

    def in_training_burst(self, rows: RowIndices, training: RowIndices) -> npt.NDArray[np.bool_]:
        """Find which of `rows`, shape (m,), share a burst with a training row of the same person: (m,)."""
        near = burst_distance(self.X, distance_thresholds(self.embedder))
        return in_same_burst(self.X[rows], self.y[rows], self.X[training], self.y[training], near)

    def make_recipe(self, name: str) -> Recipe:
        """Make a recipe from the menu for these encodings; raises ConfigError for an unknown name."""
        options: dict[str, Any] = {"distances": distance_thresholds(self.embedder)}
        if name == TEMPLATE_RECIPE:
            options |= {"strangers": self.strangers, "mean_face": load_mean_face(self.embedder)}
        elif required_embedder(name) is not None:
            options |= {"strangers": self.strangers}
        recipe: Recipe = CLASSIFIERS.create(name, **options)
        return recipe

    def make_model(self, fitted: Classifier, kind: str, recipe: str, params: Mapping[str, Any]) -> Model:
        """Make a model from a classifier fitted to this set, with a card dated now and a verifier.

        Raises TooFewPeople if the classifier decides by itself and cannot be calibrated.
        """
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        versions = installed_versions()
        card = ModelCard(kind, recipe, dict(params), self.people, self.fingerprint, now, versions)
        return assemble_model(fitted, card, self._make_verifier(fitted, kind))

    def score_photos(self, kind: str, fitted: Classifier | None = None) -> ComparisonScores:
        """Score the photos as a model of that kind does, but without what it has learnt from each of them.

        `fitted` is the classifier of that kind fitted to all of them, if there is one already. Raises
        TooFewPeople if there are too few to compare.
        """
        if required_embedder(kind) is not None:
            recipe = self.make_recipe(kind)
            classic = cast("PixelClassifier", fitted or recipe.refit(self.X, self.y, {}))
            return score_unseen_photos(
                self.X, self.y, self.strangers, recipe, classic, self.in_training_burst
            )
        template = cast("TemplateClassifier", self.make_recipe(TEMPLATE_RECIPE).refit(self.X, self.y, {}))
        return score_comparisons(template, self.X, self.y)

    def _make_verifier(self, fitted: Classifier, kind: str) -> Verifier | None:
        """Make what decides, and the threshold; None if a class decides alone, or there is only Unknown."""
        if self.people == (UNKNOWN,) or names_by_itself(kind):
            return None
        if required_embedder(kind) is not None:
            classic, scores = cast("PixelClassifier", fitted), self.score_photos(kind, fitted)
            verifier = verifier_from_scores(classic, scores, self.embedder, self.false_accept_rate)
            classic.set_gate(verifier.gate_distance)
            return verifier
        return self._calibrate(fitted) if isinstance(fitted, TemplateClassifier) else self._shared_verifier

    @functools.cached_property
    def _shared_verifier(self) -> Verifier:
        """The verifier beside every classifier that is not a template."""
        return self._calibrate(
            cast("TemplateClassifier", self.make_recipe(TEMPLATE_RECIPE).refit(self.X, self.y, {}))
        )

    def _calibrate(self, template: TemplateClassifier) -> Verifier:
        return calibrate_verifier(template, self.X, self.y, self.embedder, self.false_accept_rate)


def _number_people(gallery: Gallery) -> tuple[tuple[str, ...], Targets]:
    """Return the names, sorted as a LabelEncoder sorts them, and the number of each photo's person."""
    people = gallery.people
    numbers = {name: number for number, name in enumerate(people)}
    return people, np.array([numbers[name] for name in gallery.names], dtype=np.int64)
