"""A model that does not fit what is installed here any more: noticed, named, and what it is mended from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from face_det.engine import Engine
from face_det.errors import FaceDetError, ModelMismatch, ModelMissing, UnsafePickle
from face_det.identity import training
from face_det.identity.engines import Engines
from face_det.identity.gallery import Gallery
from face_det.identity.learnt import Live
from face_det.identity.model import ADVICE, Model

log = logging.getLogger(__name__)

UNFIT = (ModelMismatch, ModelMissing, UnsafePickle)
"""What loading a model ends in that a training puts right."""


def loaded(load: Callable[[], Live], without: Callable[[], Engine], auto_retrain: bool) -> Live:
    """What `load` gives, with why it is stale if it is.

    What does not load is an error, unless it is trained again anyhow: then it is the engine alone.
    """
    try:
        live = load()
    except UNFIT as error:
        if not auto_retrain:
            raise
        log.warning("%s (autoRetrain does it)", error)
        return Live(without(), None, str(error))
    outdated = "" if live.model is None else live.model.outdated
    if live.model is None or not outdated:
        return live
    stale = f"{live.model.place}: was trained by {outdated}; it answers and is used; to renew it, {ADVICE}"
    log.warning("%s", stale)
    return Live(live.engine, live.model, stale)


def readable(load: Callable[[], Model | None]) -> Model | None:
    """The model, for its kind and parameters; None if it cannot be had."""
    try:
        return load()
    except UNFIT:
        return None


def fitting(encodings: Path, embedder: str, engines: Engines) -> Gallery | None:
    """The gallery of an encodings file, if there is somebody in it and this embedder's network made it."""
    try:
        gallery = Gallery.load(encodings)
        if not gallery.names:
            return None
        chosen = training.chosen(gallery, embedder)
        noted = gallery.fingerprint_of(chosen)
    except FaceDetError:
        return None
    return gallery if noted in (None, engines.of(chosen).fingerprint) else None
