"""The stand-in: a `nearest` model in place of a classifier that needs more photos than there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from face_det.classifiers import CLASSIFIERS, Recipe
from face_det.embedders import embedder_from_fingerprint
from face_det.gallery import Gallery
from face_det.recognition import Model
from face_det.training import MIN_PHOTOS_TO_HOLD_OUT, NEAREST_RECIPE, TrainingResult, refit_model
from face_det.types import UNKNOWN


def fit_stand_in(
    result: TrainingResult,
    gallery: Gallery,
    targets: Mapping[str, Path],
    in_use: Path | None,
    false_accept_rate: float,
) -> tuple[Path, Model] | None:
    """Fit a `nearest` model for the daemon's model file if the classifier for that file lacks photos.

    This way people are recognised from their first photos on. `targets` maps each classifier kind to its
    file, and `in_use` is the daemon's model file, or None if the user asked for something else. Returns the
    file and the model, or None if no stand-in is needed.
    """
    kind = next((kind for kind, path in targets.items() if path == in_use), None)
    if in_use is None or kind is None or kind == NEAREST_RECIPE:
        return None
    few = any(n < photos_needed(kind) for name, n in result.photos.items() if name != UNKNOWN)
    if not few and kind not in {skip.kind for skip in result.skipped}:
        return None
    embedder = embedder_from_fingerprint(result.models[0].card.fingerprint)
    fitted = refit_model(None, gallery, kind=kind, embedder=embedder, false_accept_rate=false_accept_rate)
    return None if fitted is None else (in_use, fitted)


def photos_needed(kind: str) -> int:
    """Return how many photos each person needs before a classifier of that kind is better than `nearest`.

    >>> photos_needed("nearest")
    1
    """
    recipe: Recipe = CLASSIFIERS.create(kind)
    return min(recipe.photos_each, MIN_PHOTOS_TO_HOLD_OUT)
