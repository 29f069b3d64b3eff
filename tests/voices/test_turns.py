"""Where somebody speaks, and whose turn it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import speech
from speech import CARDS, READER, samples_of, write_recording

from face_det.nets import SpeechNetwork
from face_det.nets.network import Float32Array
from face_det.voices import VoiceEncoder, VoiceListener, VoiceReason, find_utterances

pytestmark = pytest.mark.skipif(speech.missing() is not None, reason=str(speech.missing()))

RATE = 16000


@pytest.fixture(scope="module")
def listener() -> VoiceListener:
    """Both networks."""
    return VoiceListener(SpeechNetwork(), VoiceEncoder())


def silence(seconds: float) -> Float32Array:
    """Nearly nothing, as a microphone hears it."""
    noise = np.random.RandomState(3).standard_normal(round(seconds * RATE))
    return (1e-4 * noise).astype(np.float32)


def test_speech_is_found_between_silences(listener: VoiceListener) -> None:
    """To a fifth of a second, whatever the blocks in which the sound comes."""
    sentence = samples_of(READER[1])
    sound = np.concatenate([silence(2), sentence, silence(1.5), sentence, silence(1)])
    once = [(one.begin_s, one.end_s) for one in find_utterances([sound], listener.speech)]
    length = len(sentence) / RATE
    spoken = [(2.19, length + 1.9), (length + 3.69, 2 * length + 3.4)]
    assert once[0][0] == pytest.approx(spoken[0][0], abs=0.2)
    assert once[-1][1] == pytest.approx(spoken[1][1], abs=0.3)
    assert not [begin for begin, _ in once if length + 2 < begin < length + 3.5]

    def in_blocks() -> Iterator[Float32Array]:
        for start in range(0, len(sound), 777):
            yield sound[start : start + 777]

    assert [(one.begin_s, one.end_s) for one in find_utterances(in_blocks(), listener.speech)] == once


def test_each_speaker_has_a_turn(listener: VoiceListener, tmp_path: Path) -> None:
    """One after the other, with a pause in which nobody else could have come."""
    reader, cards = samples_of(READER[0]), samples_of(CARDS[4])
    sound = np.concatenate([reader, silence(0.5), samples_of(READER[2]), silence(0.7), cards])
    turns = list(listener.listen(write_recording(tmp_path / "two.wav", sound)))
    assert len(turns) == 2
    assert turns[0].speech_s > 9
    assert turns[1].begin_s == pytest.approx((len(sound) - len(cards)) / RATE, abs=0.4)
    alone = [next(listener.listen(path)).encoding for path in (READER[0], CARDS[4])]
    similar = np.array([[turn.encoding @ other for other in alone] for turn in turns])
    assert similar[0, 0] > 0.8
    assert similar[1, 1] > 0.95
    assert max(similar[0, 1], similar[1, 0]) < 0.4


def test_people_are_told_apart(listener: VoiceListener) -> None:
    """Every sentence of the reader is more like the reader's others than like any of another man's."""
    encodings = {
        person: [listener.encoder.encode(samples_of(path)) for path in paths]
        for person, paths in (("reader", READER), ("cards", CARDS[1:]))
    }
    same = [a @ b for of in encodings.values() for a, b in itertools.combinations(of, 2)]
    other = [a @ b for a, b in itertools.product(*encodings.values())]
    assert min(same) > max(other) + 0.1


def test_what_cannot_be_encoded_has_a_reason(listener: VoiceListener, tmp_path: Path) -> None:
    """A word alone, and a voice under noise; silence, tones and nothing at all have no turn."""
    quiet = [silence(3), np.zeros(0, np.float32), np.sin(np.arange(3 * RATE) / 6).astype(np.float32) / 2]
    for number, sound in enumerate(quiet):
        assert list(listener.listen(write_recording(tmp_path / f"{number}.wav", sound))) == []
    word = np.concatenate([silence(1), samples_of(CARDS[0]), silence(1)])
    (short,) = listener.listen(write_recording(tmp_path / "word.wav", word))
    assert (short.reason, short.encoding) == (VoiceReason.TOO_SHORT, None)
    sentence = samples_of(READER[0])
    noise = np.random.RandomState(1).standard_normal(len(sentence)) * sentence.std()
    noisy = listener.listen(write_recording(tmp_path / "noisy.wav", (sentence + noise) / 4))
    assert {turn.reason for turn in noisy} <= {VoiceReason.TOO_NOISY, VoiceReason.TOO_SHORT}


def test_loudness_and_clipping_hardly_matter(listener: VoiceListener) -> None:
    """A whisper of a recording is the same voice; one that is clipped is still the nearest."""
    sentence = samples_of(READER[0])
    encoding = listener.encoder.encode(sentence)
    assert encoding @ listener.encoder.encode(sentence / 300) > 0.999
    assert encoding @ listener.encoder.encode(np.clip(sentence * 20, -1, 1)) > 0.6
