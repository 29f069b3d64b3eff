"""Notices a model that no longer fits this installation, and finds what to retrain it from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from face_det.embedders import configurable_embedders
from face_det.engine import Engines, FaceEngine
from face_det.enrolment.results import Paths
from face_det.errors import (
    BadRequest,
    FaceDetError,
    ModelMismatch,
    ModelMissing,
    TooFewPeople,
    UnsafePickle,
)
from face_det.gallery import EncodeReport, EncodingCache, Gallery, encode_dataset
from face_det.recognition import AUTO_EMBEDDER, TRAIN_ADVICE, Model, Recognizer
from face_det.training import choose_training_embedder

log = logging.getLogger(__name__)

MODEL_MISFIT_ERRORS = (ModelMismatch, ModelMissing, UnsafePickle)
"""The errors in loading a model that retraining fixes."""


def load_or_mark_stale(
    load: Callable[[], Recognizer], without_model: Callable[[], Recognizer], *, auto_retrain: bool
) -> Recognizer:
    """Return the recognizer from `load`, with `stale` set if its model should be trained again.

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
    """Return the model, for its classifier kind and parameters, or None if it cannot be loaded."""
    try:
        return load()
    except MODEL_MISFIT_ERRORS:
        return None


def check_embedder(configured: str, embedder: str | None) -> str:
    """Return the embedder to train on; raise BadRequest if the configuration rules out the one asked for.

    >>> check_embedder("auto", "sface"), check_embedder("sface", None)
    ('sface', 'sface')
    """
    if embedder in (None, AUTO_EMBEDDER, configured):
        return configured
    free = configured == AUTO_EMBEDDER
    choices = [AUTO_EMBEDDER, *(configurable_embedders() if free else [configured])]
    if embedder not in choices:
        why = "" if free else ", as embedder in config.json says"
        raise BadRequest(f"options.embedder: must be one of {', '.join(choices)}{why}, got {embedder!r:.40}")
    return str(embedder)


def load_gallery_if_usable(encodings: Path, embedder: str, engines: Engines) -> Gallery | None:
    """Return the gallery in an encodings file, or None if it is empty or by another embedder's network."""
    try:
        gallery = Gallery.load(encodings)
        if not gallery.names:
            return None
        chosen = choose_training_embedder(gallery, embedder)
        recorded = gallery.fingerprint_of(chosen)
    except FaceDetError:
        return None
    return gallery if recorded in (None, engines.of(chosen).fingerprint) else None


def encode_photos(
    paths: Paths, engine: FaceEngine, on_progress: Callable[[str, int, int], None]
) -> EncodeReport:
    """Encode the dataset with an engine; raises TooFewPeople if it holds no usable photo."""
    with EncodingCache(paths.cache) as cache:
        report = encode_dataset(
            paths.dataset,
            cache,
            engine.options,
            jobs=1,
            engine=engine,
            on_progress=lambda done, total: on_progress("encode", done, total),
        )
    if not report.gallery.names:
        # An empty dataset would wipe out the existing encodings.
        raise TooFewPeople(
            f"{paths.dataset}: must hold photos of people in folders with their names, "
            "got no usable photo; nothing was changed"
        )
    return report
