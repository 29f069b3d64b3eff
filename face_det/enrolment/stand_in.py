"""The stand-in: a `nearest` model in place of a classifier that needs more photos than there are."""

from __future__ import annotations

from face_det.classifiers import CLASSIFIERS, Recipe, required_embedder
from face_det.embedders import embedder_from_fingerprint
from face_det.gallery import Gallery
from face_det.recognition import AUTO_EMBEDDER, Model
from face_det.training import MIN_PHOTOS_TO_HOLD_OUT, NEAREST_RECIPE, TrainingResult, refit_model
from face_det.types import UNKNOWN


def fit_stand_in(
    result: TrainingResult, gallery: Gallery, kind: str | None, *, asked: bool, false_accept_rate: float
) -> Model | None:
    """Fit a `nearest` model for use if the classifier of this kind was not trained, or lacks photos.

    This way people are recognised from their first photos on. `kind` is that of the model in use; None if the
    training writes elsewhere. A kind that was `asked` for by name is used even if it has few photos. Returns
    None if no stand-in is needed.
    """
    if kind is None or kind == NEAREST_RECIPE:
        return None
    few = any(n < photos_needed(kind) for name, n in result.photos.items() if name != UNKNOWN)
    if kind not in {skip.kind for skip in result.skipped} and (asked or not few):
        return None
    cards = [model.card for model in result.models if required_embedder(model.card.kind) is None]
    usual = embedder_from_fingerprint(cards[0].fingerprint) if cards else AUTO_EMBEDDER
    embedder = required_embedder(kind) or usual
    return refit_model(None, gallery, kind=kind, embedder=embedder, false_accept_rate=false_accept_rate)


def photos_needed(kind: str) -> int:
    """Return how many photos each person needs before a classifier of that kind is better than `nearest`.

    >>> photos_needed("nearest")
    1
    """
    recipe: Recipe = CLASSIFIERS.create(kind)
    return min(recipe.photos_each, MIN_PHOTOS_TO_HOLD_OUT)
