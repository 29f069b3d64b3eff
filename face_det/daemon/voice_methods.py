"""The methods about voices: who speaks in a recording, and the recordings of everybody enrolled."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from face_det.budget import Budget
from face_det.daemon import logs
from face_det.daemon.workers import Workers, give_way

if TYPE_CHECKING:
    from face_det.service import Service, Voices

T = TypeVar("T")

log = logging.getLogger(__name__)

VOICE_LIMIT_S = 600.0
"""What a thread may take over a block of sound, or over loading the networks, before it counts as stuck."""


class VoiceMethods:
    """The daemon's methods about voices.

    `voices`, a thread of its own that gives way to pictures, listens; `quick` reads files. `learn` runs what
    changes recordings on the thread of everything that changes a model, with lines in the audit log.
    """

    def __init__(
        self,
        service: Callable[[], Service],
        voices: Workers,
        quick: Workers,
        limit_s: float,
        learn: Callable[..., Any],
    ) -> None:
        self._service = service
        self._voices = voices
        self._quick = quick
        self._limit_s = limit_s
        self._learn = learn

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Return the methods by name."""
        return {
            "recognize_voice": self.recognize_voice,
            "add_voice": self.add_voice,
            "heard": self.heard,
            "recordings": self.recordings,
            "recording": self.recording,
            "delete_recording": self.delete_recording,
        }

    def recognize_voice(self, audio: Any, options: Any = None) -> Any:
        """Return who speaks when in a recording (a path, or the bytes of a file)."""
        budget = Budget(give_way=give_way)
        with logs.log_call(log, "recognize_voice") as notes:
            return self._voices.submit(
                lambda: self._service().voices.recognize_voice(audio, options, notes, budget),
                limit_s=max(self._limit_s, VOICE_LIMIT_S),
                notes=notes,
                budget=budget,
            )

    def add_voice(self, name: Any, audio: Any) -> Any:
        """Store a recording (a path, or the bytes of a file) under a name and learn the voice in it."""
        with logs.log_call(log, "add_voice") as notes:
            run = lambda: self._service().voices.add_voice(name, audio, notes)  # noqa: E731 - it runs now
            return self._learn("add_voice", run, notes, max(self._limit_s, VOICE_LIMIT_S), name=name)

    def heard(self, query: Any = None) -> Any:
        """List who was heard near cameras, newest first."""
        return self._read("heard", lambda voices: voices.heard(query))

    def recordings(self, name: Any) -> Any:
        """List a person's recordings."""
        return self._read("recordings", lambda voices: voices.recordings(name))

    def recording(self, name: Any, recording: Any) -> Any:
        """Return a recording of a person as the bytes of its file."""
        return self._read("recording", lambda voices: voices.recording(name, recording))

    def delete_recording(self, name: Any, recording: Any) -> Any:
        """Remove a recording of a person; undo puts it back."""
        with logs.log_call(log, "delete_recording") as notes:
            run = lambda: self._service().voices.delete_recording(name, recording)  # noqa: E731 - it runs now
            return self._learn("delete_recording", run, notes, name=name)

    def _read(self, verb: str, ask: Callable[[Voices], T]) -> T:
        with logs.log_call(log, verb, logging.DEBUG) as notes:
            return self._quick.submit(lambda: ask(self._service().voices), limit_s=self._limit_s, notes=notes)
