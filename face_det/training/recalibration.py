"""What another false accept rate would mean, and a model with one: from encodings, without networks."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from face_det.classifiers import required_embedder
from face_det.embedders import embedder_from_fingerprint
from face_det.gallery import Gallery
from face_det.recognition import MIN_RATIO_TO_NEXT, Model, Verifier, assemble_model
from face_det.training.calibration import impostors_needed, threshold_and_tail, threshold_for_rate
from face_det.training.comparison_scores import ComparisonScores
from face_det.training.training_set import TrainingSet

if TYPE_CHECKING:
    from face_det.classifiers import PixelClassifier, ScoringClassifier


@dataclass(frozen=True, slots=True)
class RatePreview:
    """What a false accept rate means for the photos that are enrolled.

    - `threshold`: the score that a name requires.
    - `recognised`: the share of held-out faces of people enrolled that would be named rightly; None if nobody
      has two photos that were not taken at one moment. `faces` is how many there are.
    - `strangers_named`: the share of the people compared as strangers that would be named; None without any.
      `strangers` is how many there are: far fewer than it takes to see a small rate.
    """

    rate: float
    threshold: float
    recognised: float | None
    faces: int
    strangers_named: float | None
    strangers: int


def preview_rates(
    model: Model, gallery: Gallery, rates: Sequence[float], min_proba: float = 0.0
) -> list[RatePreview]:
    """Say what each rate would mean, with each photo held out from its person's template in turn.

    Empty if the model has no verifier. Raises BadEncodings if the gallery lacks the model's encodings, and
    TooFewPeople if there are fewer people than its kind of classifier needs.
    """
    if model.verifier is None or not gallery.names:
        return []
    scores, embedder = _score(model, gallery)
    named = _named_rightly(model.verifier, scores, min_proba)
    found = []
    for rate in rates:
        threshold = threshold_for_rate(scores, embedder, rate)
        threshold = model.verifier.threshold if threshold is None else threshold
        recognised = float((named >= threshold).mean()) if len(named) else None
        best = scores.best_impostor
        others = float(scores.weights[best >= threshold].sum() / scores.weights.sum()) if len(best) else None
        found.append(RatePreview(rate, threshold, recognised, len(named), others, scores.impostor_people))
    return found


def recalibrate_model(model: Model, gallery: Gallery, rate: float) -> Model | None:
    """Return the model with the threshold for another rate, and nothing else changed; None if it has none.

    The threshold comes from the photos that are enrolled now. Raises BadEncodings and TooFewPeople as
    preview_rates does.
    """
    before = model.verifier
    if before is None or not gallery.names:
        return None
    scores, embedder = _score(model, gallery)
    threshold, tail = threshold_and_tail(scores, embedder, rate)
    # A copy, because calls are being answered by the model.
    classifier = copy.copy(model.classifier)
    template = (
        cast("ScoringClassifier", classifier) if before.template is model.classifier else before.template
    )
    verifier = Verifier(
        template,
        before.threshold if threshold is None else threshold,
        rate,
        scores.impostor_people,
        impostors_needed(rate),
        before.tail if threshold is None else tail,
    )
    if required_embedder(model.card.kind) is not None:
        cast("PixelClassifier", template).set_gate(verifier.gate_distance)
    return replace(assemble_model(classifier, model.card, verifier), place=model.place)


def _score(model: Model, gallery: Gallery) -> tuple[ComparisonScores, str]:
    """Score the photos of the gallery as the model does, by classifiers that have not seen them."""
    embedder = embedder_from_fingerprint(model.card.fingerprint)
    training_set = TrainingSet.from_gallery(gallery, embedder, 0.5)
    return training_set.score_photos(model.card.kind), embedder


def _named_rightly(verifier: Verifier, scores: ComparisonScores, min_proba: float) -> np.ndarray:
    """Return the score of each held-out face, shape (n,): -inf for those that no threshold would name."""
    rows = np.arange(len(scores.genuine_person))
    odds = verifier.template.proba_of_scores(scores.genuine)[:, :-1]
    own = odds[rows, scores.genuine_person]
    others = odds.copy()
    others[rows, scores.genuine_person] = 0.0
    sure = (own >= MIN_RATIO_TO_NEXT * others.max(axis=1, initial=0.0)) & (own >= min_proba)
    return np.where(sure, scores.genuine[rows, scores.genuine_person], -np.inf)
