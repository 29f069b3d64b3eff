"""Finds where somebody speaks: voice activity detection, cut into utterances."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from face_det.nets import SPEECH_FRAME, Float32Array, SpeechNetwork, SpeechState
from face_det.voices.filter_banks import SAMPLE_RATE

FRAME_S = SPEECH_FRAME / SAMPLE_RATE

BEGIN_PROBABILITY, END_PROBABILITY = 0.5, 0.35
"""Speech begins in a frame as likely as the first, and ends before frames less likely than the second."""

PAUSE_FRAMES = 10
"""Silence of so many frames, 0.3 s, ends an utterance."""
MARGIN_FRAMES = 2
"""So many frames before and after an utterance belong to it: consonants are quiet."""
MIN_FRAMES = 8
"""Less than so many frames, a quarter of a second, is a click rather than a word."""
MAX_UTTERANCE_S = 10.0
"""Whoever speaks on begins another utterance after so many seconds."""

_SILENCE = 1e-10
"""The power of a frame is taken to be at least this, -100 dB, so that it has a logarithm."""


@dataclass(frozen=True, eq=False, slots=True)
class Utterance:
    """Speech without a pause.

    `begin_s` and `end_s` are in seconds from the start of the recording; `samples`, shape (n,), are 16 kHz.
    `clarity_db` is by how many decibels the loud parts exceed the quiet ones, pauses included: speech has
    many quiet moments, which noise fills.
    """

    begin_s: float
    end_s: float
    samples: Float32Array
    clarity_db: float

    @property
    def duration_s(self) -> float:
        """The length in seconds."""
        return self.end_s - self.begin_s


def find_utterances(blocks: Iterable[Float32Array], network: SpeechNetwork) -> Iterator[Utterance]:
    """Yield the utterances in sound, blocks of shape (n,) of 16 kHz, as soon as each has ended.

    Only the current utterance is kept in memory, however long the recording is.
    """
    cutter = _Cutter()
    state, rest = SpeechState(), np.zeros(0, np.float32)
    for block in blocks:
        samples = np.concatenate([rest, block])
        whole = len(samples) // SPEECH_FRAME * SPEECH_FRAME
        rest = samples[whole:]
        yield from cutter.push(samples[:whole], network.detect(samples[:whole], state))
    if len(rest):
        padded = np.pad(rest, (0, SPEECH_FRAME - len(rest)))
        yield from cutter.push(padded, network.detect(padded, state))
    yield from cutter.finish()


class _Cutter:
    """Cuts frames into utterances; one for each recording."""

    def __init__(self) -> None:
        self._position = 0
        """The number of the next frame."""
        self._before: deque[Float32Array] = deque(maxlen=MARGIN_FRAMES)
        self._spoken: list[Float32Array] = []
        self._quiet = 0

    def push(self, samples: Float32Array, probabilities: Float32Array) -> Iterator[Utterance]:
        """Take frames, shape (n * 512,), and the probability of speech in each, shape (n,)."""
        for frame, probability in zip(samples.reshape(-1, SPEECH_FRAME), probabilities, strict=True):
            self._position += 1
            if not self._spoken:
                if probability < BEGIN_PROBABILITY:
                    self._before.append(frame)
                    continue
                self._spoken = [*self._before, frame]
                self._before.clear()
                self._quiet = 0
            else:
                self._spoken.append(frame)
                self._quiet = self._quiet + 1 if probability < END_PROBABILITY else 0
            if self._quiet >= PAUSE_FRAMES or len(self._spoken) * FRAME_S >= MAX_UTTERANCE_S:
                yield from self.finish()

    def finish(self) -> Iterator[Utterance]:
        """End the utterance, if there is one."""
        superfluous = max(0, self._quiet - MARGIN_FRAMES)
        kept = self._spoken[: len(self._spoken) - superfluous]
        begin = self._position - len(self._spoken)
        if len(kept) - self._quiet >= MIN_FRAMES:
            yield Utterance(
                begin * FRAME_S,
                (begin + len(kept)) * FRAME_S,
                np.concatenate(kept),
                _measure_clarity(np.array(self._spoken)),
            )
        self._before.extend(self._spoken[len(kept) :])
        self._spoken, self._quiet = [], 0


def _measure_clarity(frames: Float32Array) -> float:
    """Return Utterance.clarity_db of frames, shape (n, 512)."""
    level = 10 * np.log10(np.maximum(np.mean(np.square(frames, dtype=np.float64), axis=1), _SILENCE))
    return float(np.percentile(level, 90) - np.percentile(level, 10))
