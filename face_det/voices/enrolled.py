"""Encodes the recordings in dataset/NAME/, and trains the classifiers of faces on them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from face_det.enrolment import VoicePaths
from face_det.errors import ModelMismatch, SoundError, TooFewPeople, TryAgain
from face_det.gallery import list_recordings
from face_det.recognition import Model, dump_model, load_model
from face_det.storage import lock_for_update, replace_files, write_atomically
from face_det.training import TrainingResult, train_on_sets
from face_det.types import UNKNOWN
from face_det.voices.changes import make_training_set
from face_det.voices.turns import Turn, VoiceListener, VoiceReason, join_recording
from face_det.voices.voice_file import (
    RUN_VOICE_ENCODE,
    VoiceGallery,
    VoiceRow,
    make_gallery,
    read_voices,
)


@dataclass(frozen=True, slots=True)
class LeftOutRecording:
    """A recording that was not encoded: `reason` is a VoiceReason's value, or `bad_sound` with a `text`."""

    path: Path
    name: str
    reason: str
    text: str


@dataclass(frozen=True, eq=False, slots=True)
class VoiceReport:
    """What is in the file now; `encoded` and `reused` count recordings, `lost` names who has left."""

    gallery: VoiceGallery
    encoded: int
    reused: int
    left_out: tuple[LeftOutRecording, ...]
    lost: tuple[str, ...]


def encode_recordings(
    dataset: Path,
    target: Path,
    listener: VoiceListener,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    lock: Path,
) -> VoiceReport:
    """Encode dataset/NAME/* into the file `target`; recordings that it holds already are reused.

    `lock` is the file of faces' encodings, whose lock is held while this one is written. People whose
    recordings are gone leave the file. A recording that cannot be used never spoils the others.
    Raises DataError if the dataset cannot be read, and BadEncodings if `target` holds something else.
    """
    before = read_voices(target)
    known: dict[tuple[str, str], VoiceRow] = {}
    if before is not None and before.fingerprint == listener.encoder.fingerprint:
        known = {(row.name, row.digest): row for row in before.rows}
    files = [(name, path) for name, paths in list_recordings(dataset).items() for path in paths]
    rows, left_out, reused = [], [], 0
    for done, (name, path) in enumerate(files):
        on_progress(done, len(files))
        place = path.relative_to(dataset).as_posix()
        try:
            digest = _digest(path)
            found = known.get((name, digest))
            reused += found is not None
            row = _encode(listener, name, place, digest, path) if found is None else found
        except SoundError as error:
            left_out.append(LeftOutRecording(path, name, "bad_sound", str(error)))
            continue
        if isinstance(row, VoiceReason):
            left_out.append(LeftOutRecording(path, name, row.value, ""))
        else:
            rows.append(VoiceRow(name, place, digest, row.speech_s, row.encoding))
    on_progress(len(files), len(files))
    with lock_for_update(lock):
        gallery = _join_with_later(rows, {path for _, path in files}, dataset, target, listener)
        write_atomically(target, gallery.dumps())
    lost = () if before is None else tuple(sorted({*before.people} - {*gallery.people}))
    return VoiceReport(gallery, len(rows) - reused, reused, tuple(left_out), lost)


def _join_with_later(
    rows: Sequence[VoiceRow], seen: Collection[Path], dataset: Path, target: Path, listener: VoiceListener
) -> VoiceGallery:
    """Return what was encoded, without those who were forgotten or renamed meanwhile, and with who came."""
    present = {path for paths in list_recordings(dataset, warn=False).values() for path in paths}
    now, fingerprint = read_voices(target), listener.encoder.fingerprint
    later = now.rows if now is not None and now.fingerprint == fingerprint else ()
    kept = [row for row in rows if dataset / row.file in present]
    kept += [row for row in later if dataset / row.file in present and dataset / row.file not in seen]
    return make_gallery(kept, fingerprint)


def train_voices(
    gallery: VoiceGallery,
    kinds: Sequence[str],
    *,
    false_accept_rate: float,
    jobs: int,
    thorough: bool,
    on_progress: Callable[[str, int, int], None] = lambda kind, done, total: None,
) -> TrainingResult:
    """Train classifiers on voices exactly as on faces; raises what `train_classifiers` raises."""
    if not [name for name in gallery.people if name != UNKNOWN]:
        raise TooFewPeople(f"voices: must be of one person or more, got none; {RUN_VOICE_ENCODE}")
    training_set = make_training_set(gallery, false_accept_rate)
    return train_on_sets(
        lambda kind: training_set, kinds, jobs=jobs, thorough=thorough, on_progress=on_progress
    )


def save_voice_model(model: Model, paths: VoicePaths, trained_on: VoiceGallery, lock: Path) -> None:
    """Write the classifier and its labels, both or neither, under the lock on faces' encodings.

    Raises TryAgain, having written nothing, if recordings were changed since `trained_on` was read: it may
    know somebody who was forgotten.
    """
    classifier, labels = dump_model(model)
    with lock_for_update(lock):
        now = read_voices(paths.encodings)
        known = [(row.name, row.digest) for row in now.rows] if now is not None else []
        if known != [(row.name, row.digest) for row in trained_on.rows]:
            raise TryAgain(f"{paths.encodings}: was changed during the training; run it again")
        replace_files({paths.model: classifier, paths.labels: labels})


def load_voice_model(paths: VoicePaths, fingerprint: str) -> Model:
    """Read the model of voices.

    Raises what `load_model` raises, and ModelMismatch if it was trained on encodings of another network.
    """
    model = load_model(paths.model, paths.labels)
    if model.card.fingerprint != fingerprint:
        raise ModelMismatch(
            f"{paths.model}: must be trained on voices encoded by {fingerprint}, "
            f"got {model.card.fingerprint}; {RUN_VOICE_ENCODE} and 'face-det voice train'"
        )
    return model


def _encode(
    listener: VoiceListener, name: str, place: str, digest: str, path: Path
) -> VoiceRow | VoiceReason:
    whole = join_recording(listener.listen(path))
    if not isinstance(whole, Turn):
        return whole
    assert whole.encoding is not None
    return VoiceRow(name, place, digest, whole.speech_s, whole.encoding)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise SoundError(f"{path}: must be a recording, got {error.strerror}") from error
    return digest.hexdigest()
