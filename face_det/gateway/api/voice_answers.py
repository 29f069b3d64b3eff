"""What routes about voices answer, as schemas with examples for /openapi.json."""

from __future__ import annotations

from typing import Literal

from face_det.gateway.api.answers import Answer, Candidate, Outcome, with_example

_SEGMENT = {
    "begin": 0.4,
    "end": 6.1,
    "speech": 5.2,
    "outcome": "known",
    "voice": "Alice",
    "voiceProba": 0.98,
    "voiceReason": None,
    "candidates": [],
}
_RECORDING = {
    "recording": "4f1c.wav",
    "added": 1767225600.0,
    "bytes": 224044,
    "speech": 5.2,
    "state": "enrolled",
}


class VoiceSegment(Answer):
    """What one speaker said, with short pauses; times are seconds from the beginning of the recording."""

    begin: float
    end: float
    speech: float
    outcome: Outcome | None
    voice: str | None
    voiceProba: float | None
    voiceReason: str | None
    candidates: list[Candidate]


class VoiceSegments(Answer):
    """Who speaks when; `reason` is `no_speech` if nobody does."""

    model_config = with_example(segments=[_SEGMENT], reason=None, durationS=7.0)
    segments: list[VoiceSegment]
    reason: str | None
    durationS: float


class HeardVoice(Answer):
    """Somebody who was heard near a camera: an event of type `heard`."""

    seq: int
    time: float
    camera: str | None
    outcome: Outcome
    name: str | None
    probability: float | None
    speech: float


class HeardVoices(Answer):
    """Who was heard, newest first."""

    model_config = with_example(
        heard=[
            {"seq": 31, "time": 1767225600.4, "camera": "door", "outcome": "known", "name": "Alice"}
            | {"probability": 0.98, "speech": 5.2}
        ]
    )
    heard: list[HeardVoice]


class EnrolledVoice(Answer):
    """An enrolled recording, and the change that undoes it; null if the recording was there before."""

    model_config = with_example(
        name="Alice", recordings=3, recording="4f1c.wav", change="photos-12", speech=5.2
    )
    name: str
    recordings: int
    recording: str
    change: str | None
    speech: float


class Recording(Answer):
    """A recording of a person, and whether it is used for training."""

    recording: str
    added: float
    bytes: int
    speech: float | None
    state: Literal["enrolled", "left_out"]


class Recordings(Answer):
    """A person's recordings."""

    model_config = with_example(name="Alice", recordings=[_RECORDING])
    name: str
    recordings: list[Recording]
