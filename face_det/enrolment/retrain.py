"""Notice a model that no longer fits this installation, and find what to retrain it from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from face_det.engine import Engines
from face_det.errors import FaceDetError, ModelMismatch, ModelMissing, UnsafePickle
from face_det.gallery import Gallery
from face_det.recognition import TRAIN_ADVICE, Model, Recognizer
from face_det.training import choose_training_embedder

log = logging.getLogger(__name__)

MODEL_MISFIT_ERRORS = (ModelMismatch, ModelMissing, UnsafePickle)
"""The errors of loading a model that a training fixes."""


def load_or_mark_stale(
    load: Callable[[], Recognizer], without_model: Callable[[], Recognizer], *, auto_retrain: bool
) -> Recognizer:
    """The recognizer that `load` returns, with `stale` set if its model should be trained again.

    If loading fails, raise the error; with `auto_retrain`, return the recognizer that `without_model`
    returns instead, with the error as the reason why it is stale.
    """
    try:
        recognizer = load()
    except MODEL_MISFIT_ERRORS as error:
        if not auto_retrain:
            raise
        log.warning("%s (autoRetrain will do so)", error)
        return replace(without_model(), stale=str(error))
    model = recognizer.model
    if model is None or not model.outdated:
        return recognizer
    trained_by = f"was trained by {model.outdated}"
    stale = f"{model.place}: {trained_by}; it still works and is used; to renew it, {TRAIN_ADVICE}"
    log.warning("%s", stale)
    return replace(recognizer, stale=stale)


def load_model_if_usable(load: Callable[[], Model | None]) -> Model | None:
    """The model, for its classifier kind and parameters; None if it cannot be loaded."""
    try:
        return load()
    except MODEL_MISFIT_ERRORS:
        return None


def load_gallery_if_usable(encodings: Path, embedder: str, engines: Engines) -> Gallery | None:
    """The gallery in an encodings file if it holds somebody and this embedder's network made it, or None."""
    try:
        gallery = Gallery.load(encodings)
        if not gallery.names:
            return None
        chosen = choose_training_embedder(gallery, embedder)
        recorded = gallery.fingerprint_of(chosen)
    except FaceDetError:
        return None
    return gallery if recorded in (None, engines.of(chosen).fingerprint) else None
