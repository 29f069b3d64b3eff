"""What the files of voices hold after a change to people's recordings.

Everything here returns the contents of files, by their paths (None deletes one), for whoever makes the change
to write in one transaction, under the lock on the encodings. No network runs: recordings are encoded before.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from face_det.embedders import CAMPPLUS
from face_det.enrolment import VoicePaths
from face_det.errors import BadEncodings, FaceDetError, ModelMismatch, ModelMissing, UnsafePickle
from face_det.recognition import Model, dump_model, load_model
from face_det.training import TEMPLATE_RECIPE, TrainingSet, refit_on_set
from face_det.types import UNKNOWN
from face_det.voices.voice_file import (
    RUN_VOICE_ENCODE,
    VoiceGallery,
    VoiceRow,
    make_gallery,
    read_voices,
)

log = logging.getLogger(__name__)

Files = Mapping[Path, "bytes | None"]


@dataclass(frozen=True, slots=True)
class RecordingMove:
    """A recording that moves, by its place below the dataset such as "anna/1.wav"; None is outside of it."""

    source: str | None
    target: str | None


@dataclass(frozen=True, eq=False, slots=True)
class ForgottenVoice:
    """How many encodings of somebody are removed, and the files to write; none if nothing was known."""

    encodings: int
    files: Files


def add_recording(paths: VoicePaths, row: VoiceRow, fingerprint: str, rate: float) -> Files:
    """Return the files with one more recording, and a model trained on it.

    Raises ModelMismatch if the others were encoded by another network than `fingerprint` names.
    """
    before = read_voices(paths.encodings) or VoiceGallery((), fingerprint)
    if before.rows and before.fingerprint != fingerprint:
        raise ModelMismatch(
            f"{paths.encodings}: must be encoded by {fingerprint}, got {before.fingerprint}; "
            f"{RUN_VOICE_ENCODE}"
        )
    others = (one for one in before.rows if one.file != row.file)
    return _dump(paths, make_gallery([*others, row], fingerprint), rate)


def move_recordings(
    paths: VoicePaths,
    moves: Iterable[RecordingMove],
    ended: Mapping[str, str | None],
    encoded: Sequence[VoiceRow],
    fingerprint: str | None,
    rate: float,
) -> Files:
    """Return the files after recordings have moved to other people, out of the dataset or into it.

    `ended` maps everybody of whom nothing is left to whoever they are now, or None: encodings whose
    recordings are gone follow. `encoded` are recordings that come back, encoded by the network of
    `fingerprint`; they are left out, and the log says so, if another one encoded the rest. Returns nothing if
    nothing changes.
    """
    before = read_voices(paths.encodings) or VoiceGallery((), fingerprint or "")
    if encoded and before.rows and before.fingerprint != fingerprint:
        log.warning("recordings come back without their voices, of another network; %s", RUN_VOICE_ENCODE)
        encoded = ()
    places = {move.source: move.target for move in moves if move.source is not None}
    rows = [*encoded]
    for row in before.rows:
        if row.file in places:
            target = places[row.file]
            if target is not None:
                rows.append(replace(row, name=_owner(target), file=target))
        elif row.name in ended:
            name = ended[row.name]
            if name is not None:
                rows.append(replace(row, name=name))
        else:
            rows.append(row)
    after = make_gallery(rows, before.fingerprint if before.rows else fingerprint or "")
    same = [(row.name, row.file) for row in before.rows] == [(row.name, row.file) for row in after.rows]
    return {} if same else _dump(paths, after, rate)


def forget_voice(paths: VoicePaths, name: str, rate: float) -> ForgottenVoice:
    """Return what is left without a person, spelt as names are kept.

    A file that cannot be read may hold the person, so it goes, and with it the model.
    """
    gone: dict[Path, bytes | None] = {path: None for path in paths.files if path.exists()}
    try:
        before = read_voices(paths.encodings)
    except (BadEncodings, UnsafePickle) as error:
        log.warning("removed, because a person is forgotten and nobody knows whom it holds: %s", error)
        return ForgottenVoice(0, gone)
    rows = () if before is None else before.rows
    kept = [row for row in rows if row.name != name]
    if len(kept) < len(rows):
        assert before is not None
        files = {**gone, **_dump(paths, make_gallery(kept, before.fingerprint), rate)}
        return ForgottenVoice(len(rows) - len(kept), files)
    if not _may_name(paths, name):
        return ForgottenVoice(0, {})
    if before is None:
        return ForgottenVoice(0, gone)
    return ForgottenVoice(0, {**gone, **_dump(paths, before, rate)})


def refit_voices(model: Model | None, gallery: VoiceGallery, rate: float) -> Model | None:
    """Train a model of voices without a search, in a second; None if there is nobody to know.

    It is of the kind of `model`, with its parameters.
    """
    if not [name for name in gallery.people if name != UNKNOWN]:
        return None
    kind = TEMPLATE_RECIPE if model is None else model.recipe
    return refit_on_set(model, make_training_set(gallery, rate), kind)


def make_training_set(gallery: VoiceGallery, rate: float) -> TrainingSet:
    """Return what classifiers learn from."""
    numbers = {name: number for number, name in enumerate(gallery.people)}
    y = np.array([numbers[row.name] for row in gallery.rows], np.int64)
    return TrainingSet(gallery.encodings, y, gallery.people, CAMPPLUS, gallery.fingerprint, rate)


def _dump(paths: VoicePaths, gallery: VoiceGallery, rate: float) -> dict[Path, bytes | None]:
    model = refit_voices(_load_if_usable(paths), gallery, rate)
    files: dict[Path, bytes | None] = {paths.encodings: gallery.dumps() if gallery.rows else None}
    if model is None:
        return {**files, paths.model: None, paths.labels: None}
    files[paths.model], files[paths.labels] = dump_model(model)
    return files


def _load_if_usable(paths: VoicePaths) -> Model | None:
    try:
        return load_model(paths.model, paths.labels)
    except ModelMissing:
        return None
    except FaceDetError as error:
        log.warning("the model of voices is replaced by one of the usual kind: %s", error)
        return None


def _may_name(paths: VoicePaths, name: str) -> bool:
    """Tell whether the model of voices knows a name; True if it cannot be read."""
    try:
        return name in load_model(paths.model, paths.labels).labels
    except ModelMissing:
        return paths.labels.exists()
    except FaceDetError:
        return True


def _owner(place: str) -> str:
    return unicodedata.normalize("NFC", place.partition("/")[0])
