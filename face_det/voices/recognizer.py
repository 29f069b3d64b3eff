"""Says who speaks when, by the decision that names faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from face_det.recognition import DecisionRule, Model, decide_names
from face_det.types import Match
from face_det.voices.turns import Turn, VoiceListener


@dataclass(frozen=True, eq=False, slots=True)
class VoiceSegment:
    """A turn and who speaks in it; `match` is None if the turn has no encoding, and its `reason` says why."""

    turn: Turn
    match: Match | None

    def as_json(self) -> dict[str, Any]:
        """Return the answer as JSON values; its keys are those of a face, but for the times in seconds."""
        match, reason = self.match, self.turn.reason
        if match is not None and match.reason is not None:
            why: str | None = match.reason.value
        else:
            why = None if reason is None else reason.value
        return {
            "begin": round(self.turn.begin_s, 2),
            "end": round(self.turn.end_s, 2),
            "speech": round(self.turn.speech_s, 2),
            "outcome": None if match is None or match.outcome is None else match.outcome.value,
            "voice": None if match is None else match.name,
            "voiceProba": None if match is None else match.probability,
            "voiceReason": why,
            "candidates": [
                {"name": one.name, "proba": one.probability}
                for one in (() if match is None else match.candidates)
            ],
        }


@dataclass(frozen=True, slots=True)
class VoiceRecognizer:
    """Listens, and names whom it hears; without a model, nobody is known."""

    listener: VoiceListener
    model: Model | None
    rule: DecisionRule = field(default_factory=DecisionRule)

    def recognize(self, path: Path) -> Iterator[VoiceSegment]:
        """Yield who speaks in a recording or a video, in order; nothing if nobody does.

        Raises SoundError if the file cannot be read.
        """
        return self.name_turns(self.listener.listen(path))

    def name_turns(self, turns: Iterable[Turn]) -> Iterator[VoiceSegment]:
        """Decide about each turn as soon as it has ended."""
        for turn in turns:
            if turn.encoding is None:
                yield VoiceSegment(turn, None)
            else:
                (match,) = decide_names(self.model, turn.encoding[None], self.rule)
                yield VoiceSegment(turn, match)
