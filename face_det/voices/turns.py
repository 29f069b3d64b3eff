"""Joins the utterances of one speaker into turns, so that a decision rests on as much speech as possible."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from face_det.embedders import CAMPPLUS, distance_thresholds
from face_det.nets import Float32Array, SpeechNetwork
from face_det.types import Encodings
from face_det.voices.encoder import VoiceEncoder
from face_det.voices.sound import read_sound
from face_det.voices.speech import Utterance, find_utterances


class VoiceReason(str, Enum):
    """Why a voice was not encoded."""

    NO_SPEECH = "no_speech"
    TOO_SHORT = "too_short"
    TOO_NOISY = "too_noisy"
    SEVERAL_VOICES = "several_voices"
    """Of a recording that is to be one person's."""


MIN_SPEECH_S = 1.0
"""Less speech is not encoded: whoever says a single word sounds like many others."""

MIN_CLARITY_DB = 10.0
"""Utterance.clarity_db below this is noise with a voice in it."""

MAX_OTHERS_SHARE = 0.2
"""The share of the speech in somebody's recording that may be unlike the rest."""

MAX_PAUSE_S = 3.0
"""After a longer pause a new turn begins: somebody else may have come."""


@dataclass(frozen=True, eq=False, slots=True)
class Turn:
    """What one speaker said, with short pauses.

    `begin_s` and `end_s` are in seconds from the start of the recording, `speech_s` is the speech without
    the pauses. Either `encoding` is set, shape (192,) and length 1, or `reason` says why there is none.
    """

    begin_s: float
    end_s: float
    speech_s: float
    encoding: Encodings | None
    reason: VoiceReason | None = None


@dataclass(frozen=True, eq=False, slots=True)
class _Piece:
    """Utterances of one speaker: `total`, shape (192,), is the sum of their encodings by their seconds."""

    begin_s: float
    end_s: float
    speech_s: float
    total: Encodings
    clarity_db: float

    @classmethod
    def of(cls, turn: Turn) -> _Piece:
        """Return the piece of a turn that has an encoding; it was clear enough."""
        assert turn.encoding is not None
        return cls(turn.begin_s, turn.end_s, turn.speech_s, turn.encoding * turn.speech_s, math.inf)

    def plus(self, other: _Piece) -> _Piece:
        """Return both together."""
        speech_s = self.speech_s + other.speech_s
        clarity = (self.speech_s * self.clarity_db + other.speech_s * other.clarity_db) / speech_s
        return _Piece(self.begin_s, other.end_s, speech_s, self.total + other.total, clarity)

    def like(self, other: _Piece) -> bool:
        """Tell whether the same speaker is likely; of a word alone that cannot be told."""
        if min(self.speech_s, other.speech_s) < MIN_SPEECH_S:
            return True
        cosine = (
            self.total @ other.total / max(np.linalg.norm(self.total) * np.linalg.norm(other.total), 1e-12)
        )
        return bool(2 - 2 * cosine <= distance_thresholds(CAMPPLUS).even_distance ** 2)

    def as_turn(self) -> Turn:
        """Return the turn, whose encoding is the mean."""
        reason = None
        if self.speech_s < MIN_SPEECH_S:
            reason = VoiceReason.TOO_SHORT
        elif self.clarity_db < MIN_CLARITY_DB:
            reason = VoiceReason.TOO_NOISY
        mean = self.total / max(float(np.linalg.norm(self.total)), 1e-12)
        return Turn(self.begin_s, self.end_s, self.speech_s, None if reason else mean, reason)


@dataclass(frozen=True, slots=True)
class VoiceListener:
    """The two networks that listen: one hears that somebody speaks, the other who."""

    speech: SpeechNetwork
    encoder: VoiceEncoder

    def listen(self, path: Path) -> Iterator[Turn]:
        """Yield the turns in a recording or a video, in order; none if nobody speaks.

        Raises SoundError if the file cannot be read.
        """
        return join_turns(find_utterances(read_sound(path), self.speech), self.encoder)

    def follow(self, blocks: Iterable[Float32Array]) -> Iterator[Turn]:
        """Yield the turns in sound that is heard right now, blocks of shape (n,) of 16 kHz.

        Each utterance is answered when it has ended, 0.3 s after its last sound: with its turn so far, which
        replaces one with the same `begin_s`. The blocks may go on for ever.
        """
        return follow_turns(find_utterances(blocks, self.speech), self.encoder)


def join_turns(utterances: Iterable[Utterance], encoder: VoiceEncoder) -> Iterator[Turn]:
    """Encode utterances and yield the turns they make, as soon as each has ended."""
    current: _Piece | None = None
    for piece, begins in _join_pieces(utterances, encoder):
        if begins and current is not None:
            yield current.as_turn()
        current = piece
    if current is not None:
        yield current.as_turn()


def follow_turns(utterances: Iterable[Utterance], encoder: VoiceEncoder) -> Iterator[Turn]:
    """Encode utterances and yield, after each, the turn that it belongs to, as far as that has gone.

    A turn replaces the one before if that has the same `begin_s`.
    """
    return (piece.as_turn() for piece, _ in _join_pieces(utterances, encoder))


def _join_pieces(utterances: Iterable[Utterance], encoder: VoiceEncoder) -> Iterator[tuple[_Piece, bool]]:
    """Yield what the current speaker has said, after each utterance, and whether that one is the first."""
    current: _Piece | None = None
    for utterance in utterances:
        piece = _Piece(
            utterance.begin_s,
            utterance.end_s,
            utterance.duration_s,
            encoder.encode(utterance.samples) * utterance.duration_s,
            utterance.clarity_db,
        )
        goes_on = current is not None and piece.begin_s - current.end_s <= MAX_PAUSE_S and current.like(piece)
        current = current.plus(piece) if current is not None and goes_on else piece
        yield current, not goes_on


def join_recording(turns: Iterable[Turn]) -> Turn | VoiceReason:
    """Join the turns of a recording in which one person speaks, or say why it cannot be used."""
    turns = list(turns)
    spoken = [turn for turn in turns if turn.encoding is not None]
    if not spoken:
        reasons = [turn.reason for turn in turns if turn.reason is not None]
        return max(reasons, key=lambda reason: reason is VoiceReason.TOO_NOISY, default=VoiceReason.NO_SPEECH)
    pieces = [_Piece.of(turn) for turn in spoken]
    longest = max(pieces, key=lambda piece: piece.speech_s)
    same = [piece for piece in pieces if piece.like(longest)]
    speech_s = sum(piece.speech_s for piece in pieces)
    if sum(piece.speech_s for piece in same) < (1 - MAX_OTHERS_SHARE) * speech_s:
        return VoiceReason.SEVERAL_VOICES
    return functools.reduce(_Piece.plus, same).as_turn()
