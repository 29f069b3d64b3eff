"""From a Config to a Service: the one place that knows both."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from face_det.config import Config
from face_det.engine import Engine, EngineOptions, Engines, build_isolated_engine
from face_det.enrolment import Enroller, ModelOptions, Paths
from face_det.gallery import encoding_cache_path
from face_det.recognition import (
    AUTO_EMBEDDER,
    DecisionRule,
    choose_enrolment_embedder,
    choose_recognition_embedder,
)
from face_det.service import audit
from face_det.service.audit import AuditLog
from face_det.service.service import Limits, Service


def build_recognition_options(config: Config) -> EngineOptions:
    """What an engine that answers is built from: its embedder is the model's, if none is asked for.

    Raises what reading the model raises.
    """
    found = build_learner(config).model()
    return _build_options(config, choose_recognition_embedder(config.embedder, found, config.model_path))


def build_enrolment_options(
    config: Config, embedder: str | None = None, kept: Collection[str] | None = None
) -> EngineOptions:
    """What an engine that encodes photos is built from; `embedder` instead of the configuration's, and
    only for the encodings that are `kept`, if it is given."""
    return _build_options(config, choose_enrolment_embedder(embedder or config.embedder, kept))


def _build_options(config: Config, embedder: str) -> EngineOptions:
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


def data_paths(config: Config) -> Paths:
    """Where the files lie."""
    return Paths(
        dataset=config.dataset_path,
        encodings=config.encodings_path,
        model=config.model_path,
        labels=config.label_path,
        cache=encoding_cache_path(config.encodings_path),
    )


def decision_rule(config: Config) -> DecisionRule:
    """How faces are decided about."""
    return DecisionRule(config.min_proba, config.decision)


def service_limits(config: Config) -> Limits:
    """What callers may ask for."""
    return Limits(
        rule=decision_rule(config),
        max_images=config.max_images,
        max_pixels=config.max_pixels,
        max_bytes=config.max_file_bytes,
        mount_point=config.mount_point,
        roots=tuple(config.image_roots),
    )


def build_learner(config: Config, predecessor: Service | None = None) -> Enroller:
    """Who writes the files; nothing is loaded yet."""
    shared = Engines(_build_options(config, AUTO_EMBEDDER), _engine_builder(config))
    if predecessor is not None and predecessor.engines.options == shared.options:
        shared = predecessor.engines
    wanted = ModelOptions(
        config.classifier, config.embedder, config.false_accept_rate, auto_retrain=config.auto_retrain
    )
    return Enroller(data_paths(config), shared, wanted)


def _engine_builder(config: Config) -> Callable[[EngineOptions], Engine] | None:
    """What makes engines, if that is not engine.build: networks in processes of their own."""
    if config.isolation == "none":
        return None

    def build(options: EngineOptions) -> Engine:
        return build_isolated_engine(options, config.workers, config.worker_memory)

    return build


def build_service(config: Config, predecessor: Service | None = None) -> Service:
    """A service; the predecessor's networks are shared if the options are the same (a reload).

    ModelMismatch if the files on disk do not fit; no model at all is fine.
    """
    return Service(build_learner(config, predecessor), service_limits(config))


def open_audit_log(config: Config, encodings: Path | None = None) -> AuditLog:
    """The audit log that is configured, else the one beside these encodings, or the configuration's."""
    return AuditLog(config.audit_path or audit.default_audit_path(encodings or config.encodings_path))
