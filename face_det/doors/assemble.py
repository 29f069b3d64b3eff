"""From a Config to a Service: the one place that knows both."""

from __future__ import annotations

from face_det import engine
from face_det.config import Config
from face_det.engine import Engine, EngineOptions
from face_det.identity.cache import cache_path
from face_det.identity.learning import Learner, Places
from face_det.service import Limits, Service


def engine_options(config: Config) -> EngineOptions:
    """What the engine is built from."""
    return EngineOptions(
        detector=config.face_det_model,
        embedder=config.embedder,
        upsample=config.num_face_img_upsample,
        jitters=config.num_jitters,
        jitter=config.jitter,
        min_face_px=config.min_face,
        focus_threshold=config.focus_measure_threshold,
        compute=config.compute,
    )


def places(config: Config) -> Places:
    """Where the files lie."""
    return Places(
        dataset=config.dataset_path,
        encodings=config.encodings_path,
        model=config.model_path,
        labels=config.label_path,
        cache=cache_path(config.encodings_path),
    )


def limits(config: Config) -> Limits:
    """What callers may ask for."""
    return Limits(
        min_proba=config.min_proba,
        max_images=config.max_images,
        max_pixels=config.max_pixels,
        max_bytes=config.max_file_bytes,
        mount_point=config.mount_point,
        roots=tuple(config.image_roots),
    )


def service(config: Config, predecessor: Service | None = None) -> Service:
    """A service; the predecessor's networks are shared if the options are the same (a reload).

    ModelMismatch if the files on disk do not fit; no model at all is fine.
    """
    options = engine_options(config)
    if predecessor is not None and predecessor.engine.options == options:
        built: Engine = predecessor.engine
    else:
        built = engine.build(options)
    return Service(built, Learner(places(config), built, config.classifier), limits(config))
