"""`face-det train`: encodings.pickle -> classifiers, their labels, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from face_det.classifiers import CLASSIFIERS, Recipe
from face_det.embedders import embedder_from_fingerprint
from face_det.gallery import Gallery
from face_det.recognition import Model
from face_det.registry import create_by_name
from face_det.training import MIN_PHOTOS_TO_HOLD_OUT, NEAREST_RECIPE, TrainingResult, refit_model
from face_det.types import UNKNOWN


def fit_stand_in(
    result: TrainingResult,
    gallery: Gallery,
    targets: Mapping[str, Path],
    in_use: Path | None,
    false_accept_rate: float,
) -> tuple[Path, Model] | None:
    """`nearest` for modelPath, while the kind that belongs there has too few photos of somebody.

    So the first photos of a family are recognised; `in_use` is None where something else was asked for.
    """
    kind = next((kind for kind, path in targets.items() if path == in_use), None)
    if in_use is None or kind is None or kind == NEAREST_RECIPE:
        return None
    few = any(n < photos_needed(kind) for name, n in result.photos.items() if name != UNKNOWN)
    if not few and kind not in {skip.kind for skip in result.skipped}:
        return None
    made = embedder_from_fingerprint(result.models[0].card.fingerprint)
    fitted = refit_model(None, gallery, kind=kind, embedder=made, false_accept_rate=false_accept_rate)
    return None if fitted is None else (in_use, fitted)


def photos_needed(kind: str) -> int:
    """Photos that each person must have for a classifier of that kind to be better than `nearest`."""
    recipe: Recipe = create_by_name(CLASSIFIERS, kind)
    return min(recipe.photos_each, MIN_PHOTOS_TO_HOLD_OUT)
