"""Puts an earlier model back in use: the classifier and the labels together, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from face_det.enrolment.enroller import Enroller
from face_det.enrolment.history import KeptModel, ModelHistory
from face_det.enrolment.model_change import add_backups, model_file_candidates
from face_det.enrolment.results import Paths
from face_det.enrolment.retrain import load_model_if_usable
from face_det.errors import BadRequest, ModelMismatch
from face_det.gallery import Gallery
from face_det.recognition import Model, Recognizer, choose_model_path, dump_model
from face_det.storage import lock_for_update, replace_files
from face_det.training import recalibrate_model
from face_det.types import UNKNOWN


def use_model(enroller: Enroller, fingerprint: str) -> Recognizer:
    """Put an earlier model back in use, and keep the present one; return the recognizer to swap in.

    Its threshold becomes that of the false accept rate in force, which gives it another fingerprint. Only one
    call may run at a time, as for the enroller's methods. Raises BadRequest if it is not kept, and
    ModelMismatch if it does not fit this installation or knows somebody who is not enrolled any more.
    """
    paths, history = enroller.paths, enroller.history
    with lock_for_update(paths.encodings):
        current = load_model_if_usable(enroller.model)
        kept = find_kept_model(history, fingerprint, current)
        gallery = Gallery.load(paths.encodings)
        require_everybody_enrolled(kept.model, gallery)
        model, files = plan_rollback(
            _with_rate(kept, gallery, enroller.options.false_accept_rate),
            current,
            paths,
            history,
            fingerprint,
        )
        recognizer = enroller.make_recognizer(model)
        replace_files(files)
    return recognizer


def find_kept_model(history: ModelHistory | None, fingerprint: str, current: Model | None) -> KeptModel:
    """Return an earlier model; raise BadRequest if it is not kept, or is the one in use."""
    if current is not None and current.fingerprint == fingerprint:
        raise BadRequest(f"model: {fingerprint} is already in use")
    kept = {} if history is None else {one.model.fingerprint: one for one in history.models()}
    if fingerprint not in kept:
        menu = f"one of {', '.join(kept)}" if kept else "an earlier model, of which none is kept"
        raise BadRequest(f"model: must be {menu}, got {fingerprint!r:.40}")
    return kept[fingerprint]


def require_everybody_enrolled(model: Model, gallery: Gallery) -> None:
    """Raise ModelMismatch if a model knows somebody who is not enrolled any more."""
    gone = sorted({*model.card.classes} - {UNKNOWN, *gallery.people})
    if gone:
        raise ModelMismatch(
            f"model: {model.fingerprint} knows {', '.join(gone)[:120]}, not enrolled any more; nothing was "
            "changed: train instead"
        )


def _with_rate(kept: KeptModel, gallery: Gallery, rate: float) -> KeptModel:
    """Return the model with the false accept rate in force: going back must not admit more strangers."""
    if kept.model.verifier is None or kept.model.verifier.rate == rate:
        return kept
    model = recalibrate_model(kept.model, gallery, rate)
    return kept if model is None else KeptModel(model, dump_model(model)[0])


def plan_rollback(
    kept: KeptModel, current: Model | None, paths: Paths, history: ModelHistory | None, leaving: str
) -> tuple[Model, Mapping[Path, bytes | None]]:
    """Return the model at its place, and all changes of files that put it there and keep the current one.

    `leaving` is the fingerprint that leaves the history.
    """
    place = choose_model_path(paths.model, kept.model.recipe)
    in_use = {} if place == paths.model else {paths.model.name: place.name}
    _, labels = dump_model(kept.model, in_use)
    files: dict[Path, bytes | None] = {place: kept.data, paths.labels: labels}
    files, _ = add_backups(files, model_file_candidates(paths.model), paths.labels)
    if history is not None:
        files |= history.adding(current, paths.labels, without=leaving)
    return replace(kept.model, place=str(place)), files
