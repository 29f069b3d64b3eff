"""From a Config to a Service: the one place that knows both."""

from __future__ import annotations

from collections.abc import Callable, Collection

from face_det.config import Config
from face_det.doors import isolation
from face_det.engine import Engine, EngineOptions
from face_det.identity import engines
from face_det.identity.cache import cache_path
from face_det.identity.decision import Rule
from face_det.identity.engines import AUTO, Engines
from face_det.identity.learning import Learner
from face_det.identity.learnt import Places, Wanted
from face_det.service import Limits, Service


def engine_options(config: Config) -> EngineOptions:
    """What an engine that answers is built from: its embedder is the model's, if none is asked for.

    Raises what reading the model raises.
    """
    found = learner(config).model()
    return _options(config, engines.answering(config.embedder, found, config.model_path))


def enrolment_options(
    config: Config, embedder: str | None = None, kept: Collection[str] | None = None
) -> EngineOptions:
    """What an engine that encodes photos is built from; `embedder` instead of the configuration's, and
    only for the encodings that are `kept`, if it is given."""
    return _options(config, engines.enrolling(embedder or config.embedder, kept))


def _options(config: Config, embedder: str) -> EngineOptions:
    return EngineOptions(
        detector=config.face_det_model,
        embedder=embedder,
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


def rule(config: Config) -> Rule:
    """How faces are decided about."""
    return Rule(config.min_proba, config.decision)


def limits(config: Config) -> Limits:
    """What callers may ask for."""
    return Limits(
        rule=rule(config),
        max_images=config.max_images,
        max_pixels=config.max_pixels,
        max_bytes=config.max_file_bytes,
        mount_point=config.mount_point,
        roots=tuple(config.image_roots),
    )


def learner(config: Config, predecessor: Service | None = None) -> Learner:
    """Who writes the files; nothing is loaded yet."""
    shared = Engines(_options(config, AUTO), _builder(config))
    if predecessor is not None and predecessor.engines.options == shared.options:
        shared = predecessor.engines
    wanted = Wanted(
        config.classifier, config.embedder, config.false_accept_rate, auto_retrain=config.auto_retrain
    )
    return Learner(places(config), shared, wanted)


def _builder(config: Config) -> Callable[[EngineOptions], Engine] | None:
    """What makes engines, if that is not engine.build: networks in processes of their own."""
    if config.isolation == "none":
        return None

    def build(options: EngineOptions) -> Engine:
        return isolation.build(options, config.workers, config.worker_memory)

    return build


def service(config: Config, predecessor: Service | None = None) -> Service:
    """A service; the predecessor's networks are shared if the options are the same (a reload).

    ModelMismatch if the files on disk do not fit; no model at all is fine.
    """
    return Service(learner(config, predecessor), limits(config))
