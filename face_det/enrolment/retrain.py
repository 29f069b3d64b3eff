"""Notice a model that no longer fits this installation, and find what to retrain it from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from face_det.engine import Engine, Engines
from face_det.errors import FaceDetError, ModelMismatch, ModelMissing, UnsafePickle
from face_det.gallery import Gallery
from face_det.recognition import TRAIN_ADVICE, Model, Recognizer
from face_det.training import choose_training_embedder

log = logging.getLogger(__name__)

MODEL_MISFIT_ERRORS = (ModelMismatch, ModelMissing, UnsafePickle)
"""The errors of loading a model that a training fixes."""


def load_or_mark_stale(
    load: Callable[[], Recognizer], without: Callable[[], Engine], auto_retrain: bool
) -> Recognizer:
    """The recognizer that `load` returns, with `stale` set if its model should be trained again.

    If loading fails, raise the error; with `auto_retrain`, return a recognizer with the engine that
    `without` returns, and no model.
    """
    try:
        live = load()
    except MODEL_MISFIT_ERRORS as error:
        if not auto_retrain:
            raise
        log.warning("%s (autoRetrain does it)", error)
        return Recognizer(without(), None, str(error))
    outdated = "" if live.model is None else live.model.outdated
    if live.model is None or not outdated:
        return live
    stale = (
        f"{live.model.place}: was trained by {outdated}; it answers and is used; to renew it, {TRAIN_ADVICE}"
    )
    log.warning("%s", stale)
    return Recognizer(live.engine, live.model, stale)


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
        noted = gallery.fingerprint_of(chosen)
    except FaceDetError:
        return None
    return gallery if noted in (None, engines.of(chosen).fingerprint) else None
