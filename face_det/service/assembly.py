"""Builds the service from a Config. Nothing below this module knows the configuration."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from face_det.classifiers import required_embedder
from face_det.config import Body, Config, settings_path
from face_det.engine import EngineOptions, Engines, FaceEngine, build_isolated_engine
from face_det.enrolment import Enroller, ModelHistory, ModelOptions, Paths
from face_det.gallery import encoding_cache_path
from face_det.nets import BodyInput, Compute
from face_det.recognition import (
    AUTO_EMBEDDER,
    DecisionRule,
    choose_enrolment_embedder,
    choose_recognition_embedder,
)
from face_det.service.limits import Limits
from face_det.service.memory import THUMBNAIL_PX, Memory
from face_det.service.pace import SlowSetting, find_slow_settings
from face_det.service.replacement import Replacement, has_restore_leftovers
from face_det.service.service import Service
from face_det.service.unfinished import is_unfinished
from face_det.service.uploads import Uploads
from face_det.sightings import SYSTEM_CLOCKS, MemoryOptions, SightingStore
from face_det.storage import lock_for_update

if TYPE_CHECKING:
    from face_det.bodies import BodyEmbedder
    from face_det.service.bodies import Bodies

log = logging.getLogger(__name__)


def build_recognition_options(config: Config) -> EngineOptions:
    """Return the engine options for recognition; the embedder is the model's unless one is configured.

    Raises whatever reading the model raises.
    """
    found = build_enroller(config).model()
    return _build_options(config, choose_recognition_embedder(config.embedder, found, config.model_path))


def build_enrolment_options(
    config: Config, embedder: str | None = None, kept: Collection[str] | None = None
) -> EngineOptions:
    """Return the engine options for encoding photos.

    `embedder` overrides the configured one, which the kind of classifier may determine. `kept`, if given,
    names the embedders whose encodings exist.
    """
    wanted = embedder or required_embedder(config.classifier) or config.embedder
    return _build_options(config, choose_enrolment_embedder(wanted, kept))


def _build_options(config: Config, embedder: str, thumbnail_px: int = 0) -> EngineOptions:
    return EngineOptions(
        detector=config.face_det_model,
        embedder=embedder,
        upsample=config.num_face_img_upsample,
        jitters=config.num_jitters,
        jitter=config.jitter,
        min_face_px=config.min_face,
        focus_threshold=config.focus_measure_threshold,
        compute=config.compute,
        thumbnail_px=thumbnail_px,
        head_pose=config.head_pose,
        liveness=None if config.liveness is None else config.liveness.network,
    )


def data_paths(config: Config) -> Paths:
    """Return the paths of the dataset, the encodings, the model and the cache."""
    return Paths(
        dataset=config.dataset_path,
        encodings=config.encodings_path,
        model=config.model_path,
        labels=config.label_path,
        cache=encoding_cache_path(config.encodings_path),
        changes=config.state_path / "photos",
        bodies=config.state_path / "bodies.npz",
    )


def decision_rule(config: Config) -> DecisionRule:
    """Return the rule by which faces are named."""
    return DecisionRule(config.min_proba, config.decision)


def service_limits(config: Config) -> Limits:
    """Return the limits on what callers may ask for."""
    return Limits(
        max_images=config.max_images,
        max_pixels=config.max_pixels,
        max_bytes=config.max_file_bytes,
        mount_point=config.mount_point,
        roots=tuple(config.image_roots),
    )


def slow_settings(config: Config) -> list[SlowSetting]:
    """Return the settings that cannot be done within callTimeout, and what to set instead."""
    return find_slow_settings(
        config.face_det_model,
        config.num_face_img_upsample,
        config.num_jitters,
        config.call_timeout or math.inf,
    )


def build_enroller(config: Config, predecessor: Service | None = None, *, remember: bool = False) -> Enroller:
    """Build the enroller, which writes all data files. Nothing is loaded yet.

    With `remember`, its engines make the thumbnails that sightings need, if the configuration asks for them,
    and models that are replaced are kept in the state folder.
    """
    if predecessor is None:
        finish_restore(config)
    thumbnail_px = 0 if config.sightings is None or not remember else THUMBNAIL_PX
    shared = Engines(_build_options(config, AUTO_EMBEDDER, thumbnail_px), _engine_builder(config))
    if predecessor is not None and predecessor.engines.options == shared.options:
        shared = predecessor.engines
    options = ModelOptions(
        config.classifier,
        config.embedder,
        config.false_accept_rate,
        auto_retrain=config.auto_retrain,
        rule=decision_rule(config),
    )
    history = ModelHistory(config.state_path / "models", keep=remember)
    return Enroller(data_paths(config), shared, options, history)


def build_bodies(config: Config) -> Bodies | None:
    """Build what names people by their bodies; None, with nothing loaded for it, unless that is wanted.

    Raises what loading the network raises.
    """
    path = data_paths(config).bodies
    if config.body is None or path is None:
        return None
    from face_det.service.bodies import Bodies

    return Bodies(build_body_embedder(config.body, config.compute), path, body_rate(config))


def body_rate(config: Config) -> float:
    """Return the false accept rate of bodies."""
    own = None if config.body is None else config.body.false_accept_rate
    return config.false_accept_rate if own is None else own


def build_body_embedder(body: Body, compute: Compute) -> BodyEmbedder:
    """Build what encodes bodies: the network of `body`, or the colours of clothes. Raises ModelError."""
    from face_det.bodies import ClothesEmbedder, NetworkEmbedder

    if body.network is None:
        return ClothesEmbedder()
    wanted = BodyInput(body.mean, body.std, body.channels == "bgr", body.height, body.width)
    return NetworkEmbedder(body.network, wanted, compute)


def _engine_builder(config: Config) -> Callable[[EngineOptions], FaceEngine] | None:
    """Return a builder of engines that run in separate processes, or None without isolation."""
    if config.isolation == "none":
        return None

    def build(options: EngineOptions) -> FaceEngine:
        return build_isolated_engine(options, config.workers, config.worker_memory)

    return build


def build_service(config: Config, predecessor: Service | None = None, *, remember: bool = False) -> Service:
    """Build a service. On a reload it shares the predecessor's networks if the options are the same.

    With `remember`, it keeps the sightings that the configuration asks for; close its memory at the end.

    Settings that cannot be done in time are logged. Raises ModelMismatch if the files on disk do not fit.
    Having no model at all is fine.
    """
    if predecessor is None:
        # Before the memory is opened.
        finish_restore(config, clean=remember)
    former = None if predecessor is None else predecessor.memory
    memory = _build_memory(config, former) if remember else None
    try:
        service = Service(
            build_enroller(config, predecessor, remember=remember),
            service_limits(config),
            ascii_names=config.ascii_names,
            state=config.state_path,
            memory=memory,
            bodies=build_bodies(config),
        )
    except BaseException:
        if memory is not None and memory is not former:
            memory.store.close()
        raise
    if predecessor is not None:
        service.training = predecessor.training
        service.voices.networks.share(predecessor.voices.networks)
        service.take_over_streams(predecessor.following)
    if remember:
        _settle_memory(config, former, memory)
    # Now, because a start that fails says only why.
    for slow in slow_settings(config):
        log.warning("%s; %s", slow.text, slow.advice)
    return service


def finish_restore(config: Config, *, clean: bool = False) -> bool:
    """Complete a restore that was interrupted by a kill; return whether there was one.

    With `clean`, as a daemon does at its start, uploads and what was put beside for a restore go, too. Raises
    Busy while another process restores, CannotWrite, and DataError if the dataset is not there.
    """
    state, paths = config.state_path, data_paths(config)
    unfinished = is_unfinished(state)
    if not unfinished and not (clean and has_restore_leftovers(state, paths.dataset)):
        return False
    history = ModelHistory(state / "models")
    with lock_for_update(paths.encodings):
        replacement = Replacement(paths, state, settings_path(state), history)
        if clean:
            Uploads(state / "backups").remove_old(0)
        if not is_unfinished(state):
            # Whoever held the lock has finished it, or it was never decided.
            if clean:
                replacement.discard()
            return unfinished
        log.warning("%s: a restore was interrupted; resuming it", state)
        replacement.finish(None)
    return True


def memory_options(config: Config) -> MemoryOptions | None:
    """Return how much is remembered; None if nothing is."""
    wanted = config.sightings
    if wanted is None:
        return None
    return MemoryOptions(
        keep_days=wanted.keep_days,
        max_count=wanted.max_count,
        max_mb=wanted.max_mb,
        unknown_keep_days=wanted.unknown_keep_days,
        frames=wanted.frames,
        visit_gap_s=wanted.visit_gap,
        number_after_visits=wanted.number_after_visits,
    )


def _build_memory(config: Config, predecessor: Memory | None) -> Memory | None:
    """Open the sightings, or continue with the predecessor's."""
    options = memory_options(config)
    if options is None or predecessor is not None:
        return predecessor if options is not None else None
    store = SightingStore(config.state_path, options, SYSTEM_CLOCKS)
    store.open()
    return Memory(store)


def _settle_memory(config: Config, former: Memory | None, memory: Memory | None) -> None:
    """Close sightings that are no longer wanted, or change how many are kept, once the service is built."""
    options = memory_options(config)
    if former is not None and memory is None:
        former.store.close()
    elif former is not None and options is not None:
        former.store.change_options(options)
