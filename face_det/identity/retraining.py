"""training.train and training.refit for one embedder of a gallery."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from face_det.identity import training
from face_det.identity.fingerprints import DLIB
from face_det.identity.gallery import Gallery
from face_det.identity.model import Model


def train(
    gallery: Gallery,
    recipes: Sequence[str],
    *,
    embedder: str,
    false_accept_rate: float,
    jobs: int,
    thorough: bool,
    on_progress: Callable[[str, int, int], None],
) -> training.TrainingResult:
    """As training.train."""
    chosen = DLIB if embedder == "auto" else embedder
    return training.train(
        Gallery(gallery.of(chosen), gallery.names),
        recipes,
        fingerprint=gallery.fingerprint_of(chosen),
        jobs=jobs,
        thorough=thorough,
        on_progress=on_progress,
    )


def refit(
    model: Model | None, gallery: Gallery, *, kind: str, embedder: str, false_accept_rate: float
) -> Model | None:
    """As training.refit."""
    chosen = Gallery(gallery.of(embedder), gallery.names)
    return training.refit(model, chosen, kind=kind, fingerprint=gallery.fingerprint_of(embedder))
