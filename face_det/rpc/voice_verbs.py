"""The verbs about voices of a Client."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class VoiceVerbs(ABC):
    """What a Client can ask about voices."""

    @abstractmethod
    def _call(self, verb: str, *args: Any) -> Any:
        """Call the daemon."""

    def recognize_voice(self, audio: str | bytes, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return who speaks when in a recording or a video (a path, or bytes): {segments, reason, durationS}.

        A recording of an hour takes minutes; `timeout_s` must be longer.
        """
        answer: dict[str, Any] = self._call("recognize_voice", audio, options)
        return answer

    def add_voice(self, name: str, audio: str | bytes) -> dict[str, Any]:
        """Store a recording under a name and learn the voice in it."""
        answer: dict[str, Any] = self._call("add_voice", name, audio)
        return answer

    def heard(self, query: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """List who was heard near cameras, newest first: the events of type `heard`."""
        answer: list[dict[str, Any]] = self._call("heard", query)
        return answer

    def recordings(self, name: str) -> list[dict[str, Any]]:
        """List a person's recordings: [{recording, added, bytes, speech, state}]."""
        answer: list[dict[str, Any]] = self._call("recordings", name)
        return answer

    def recording(self, name: str, recording: str) -> bytes:
        """Return a recording of a person, as it was stored."""
        answer: bytes = self._call("recording", name, recording)
        return answer

    def delete_recording(self, name: str, recording: str) -> dict[str, Any]:
        """Remove a recording of a person; undo puts it back."""
        answer: dict[str, Any] = self._call("delete_recording", name, recording)
        return answer
