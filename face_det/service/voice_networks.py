"""The networks and the model of voices: loaded when they are needed, and read again when they change."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face_det.enrolment import VoicePaths
from face_det.errors import ModelMissing, SoundError, WeightsError
from face_det.nets import Compute
from face_det.recognition import Model

if TYPE_CHECKING:
    from face_det.voices import VoiceListener

_State = tuple[tuple[int, int, int] | None, ...]


class VoiceNetworks:
    """Loads what hears voices. Thread-safe."""

    def __init__(self, compute: Compute, paths: VoicePaths) -> None:
        self._compute, self._paths = compute, paths
        self._lock = threading.Lock()
        self._listener: VoiceListener | None = None
        self._model: tuple[_State, Model | None] | None = None

    def listener(self) -> VoiceListener:
        """Return the networks; WeightsError says in one line what to install if something is missing."""
        with self._lock:
            if self._listener is None:
                # Only here: a daemon that hears nobody loads nothing for it.
                from face_det.nets import SpeechNetwork
                from face_det.voices import VoiceEncoder, VoiceListener, require_sound_library

                try:
                    require_sound_library()
                except SoundError as error:
                    raise WeightsError(str(error)) from error
                self._listener = VoiceListener(SpeechNetwork(self._compute), VoiceEncoder(self._compute))
            return self._listener

    def model(self) -> Model | None:
        """Return the model of voices, as it is on disk now; None if nobody is enrolled.

        Raises ModelMismatch or UnsafePickle if it cannot be used.
        """
        from face_det.voices import load_voice_model

        fingerprint = self.listener().encoder.fingerprint
        state: _State = tuple(_state_of(path) for path in (self._paths.model, self._paths.labels))
        with self._lock:
            if self._model is None or self._model[0] != state:
                self._model = None
                try:
                    found = load_voice_model(self._paths, fingerprint)
                except ModelMissing:
                    found = None
                self._model = state, found
            return self._model[1]

    def drop_model(self) -> None:
        """Keep nothing of people in memory; the next call reads what is on disk."""
        with self._lock:
            self._model = None

    def share(self, former: VoiceNetworks) -> None:
        """Take over the networks that another one has loaded, if they are the same."""
        if former._compute == self._compute:
            self._listener = former._listener

    def status(self) -> dict[str, Any]:
        """Return what `status` says of voices: whether the networks are loaded."""
        return {"loaded": self._listener is not None}


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
