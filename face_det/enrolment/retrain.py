"""Notices a model that no longer fits this installation, and finds what to retrain it from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from face_det.classifiers import required_embedder
from face_det.embedders import configurable_embedders, on_demand_embedders
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
from face_det.recognition import (
    AUTO_EMBEDDER,
    TRAIN_ADVICE,
    Model,
    Recognizer,
    choose_recognition_embedder,
)
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


def embedder_for_kind(kind: str, embedder: str) -> str:
    """Return the embedder to use where a kind of classifier learns from one alone; BadRequest for another.

    >>> embedder_for_kind("lbph", "auto"), embedder_for_kind("template", "auto")
    ('grey', 'auto')
    """
    required = required_embedder(kind)
    if required not in (None, embedder) and embedder != AUTO_EMBEDDER:
        raise BadRequest(f"embedder: must be {required} or {AUTO_EMBEDDER} for {kind}, got {embedder}")
    return required or embedder


def embedder_to_train_on(kind: str, wanted: str, current: Model | None, gallery: Gallery, place: Path) -> str:
    """Return the embedder to train on: the model's or, for a first one, the best that all photos have.

    `wanted` is the configuration's, and `place` the model's path, for messages. A kind of classifier that
    learns from one embedder alone gets that, and leaves it to no other kind.
    """
    if required_embedder(kind) is not None or (current is None and gallery.names):
        return choose_training_embedder(gallery, wanted, kind)
    made = choose_recognition_embedder(wanted, current, place)
    if wanted == AUTO_EMBEDDER and gallery.names and made in on_demand_embedders():
        return choose_training_embedder(gallery, wanted, kind)
    return made


def load_gallery_if_usable(encodings: Path, embedder: str, kind: str, engines: Engines) -> Gallery | None:
    """Return the gallery in an encodings file, or None if it is empty or by another embedder's network."""
    try:
        gallery = Gallery.load(encodings)
        if not gallery.names:
            return None
        chosen = choose_training_embedder(gallery, embedder, kind)
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
