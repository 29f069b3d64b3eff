"""Measures how well voices are recognised on recordings that were not enrolled, by length and with noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from face_det.embedders import CAMPPLUS, count_dimensions
from face_det.errors import DataError, SoundError
from face_det.evaluation import (
    OpenSetCounts,
    Predictions,
    ReliabilityDiagram,
    count_open_set,
    measure_reliability,
    predictions_from_matches,
)
from face_det.gallery import is_recording, list_person_files
from face_det.nets import Float32Array
from face_det.recognition import DecisionRule, Model, decide_names
from face_det.types import UNKNOWN, Encodings
from face_det.voices.acoustic_comparison import Said, as_predictions, say_who, train_on_enrolled
from face_det.voices.enrolled import train_voices
from face_det.voices.filter_banks import SAMPLE_RATE
from face_det.voices.sound import read_sound
from face_det.voices.speech import find_utterances
from face_det.voices.turns import Turn, VoiceListener, VoiceReason, join_recording, join_turns
from face_det.voices.voice_file import VoiceRow, make_gallery

_Listened = TypeVar("_Listened")

DEFAULT_ENROLLED = 5
LENGTHS_S = (1.0, 3.0, 7.0)
NOISE_DB = 10.0
"""The speech of a noisy recording has so many decibels more power than the white noise added to it."""
_NOISE_SEED = 20
_MAX_SOUND_S = 60.0
"""Of a tested recording, no more than this is used."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How recordings are tested: the first `length_s` seconds of speech, or all; with noise or without."""

    length_s: float | None = None
    noisy: bool = False

    @property
    def name(self) -> str:
        """What a table calls it.

        >>> Condition(3.0, noisy=True).name, Condition().name
        ('3 s, noise', 'whole')
        """
        length = "whole" if self.length_s is None else f"{self.length_s:g} s"
        return f"{length}, noise" if self.noisy else length


CONDITIONS = (
    Condition(),
    *(Condition(length) for length in reversed(LENGTHS_S)),
    Condition(noisy=True),
    *(Condition(length, noisy=True) for length in reversed(LENGTHS_S)),
)


@dataclass(frozen=True, slots=True)
class VoiceSplit:
    """Recordings to enrol and to test, by name; None stands for strangers, and Unknown for those enrolled."""

    enrolled: tuple[tuple[str, Path], ...]
    tested: tuple[tuple[str | None, Path], ...]


@dataclass(frozen=True, eq=False, slots=True)
class ConditionResult:
    """What was counted under a condition.

    `equal_error_rate` is where as many pairs of one person's recordings are taken for two people's as the
    other way round; None without pairs of both kinds. `pairs` counts both. `shorter` are recordings without
    so much speech, which were not tested. `truth` and `predictions` are of the recordings that were encoded,
    and `calibration` compares their probabilities with what was right. `acoustic` is what the acoustic
    features and their network made of the same recordings, if that was compared.
    """

    condition: Condition
    counts: OpenSetCounts
    equal_error_rate: float | None
    pairs: tuple[int, int]
    shorter: int
    truth: tuple[str | None, ...]
    predictions: Predictions
    calibration: ReliabilityDiagram
    acoustic: OpenSetCounts | None


_Heard = Turn | VoiceReason | None
"""What was made of a recording under a condition; None if it has less speech than that asks for."""


@dataclass(frozen=True, eq=False, slots=True)
class _Probe:
    """A recording under a condition: whose it is, what was heard, and what the acoustic network said."""

    truth: str | None
    heard: _Heard
    said: Said | None = None


@dataclass(frozen=True, eq=False, slots=True)
class VoiceEvaluation:
    """The results, and the model that was trained on what the split enrols."""

    split: VoiceSplit
    model: Model
    results: tuple[ConditionResult, ...]
    unreadable: tuple[Path, ...]


def split_recordings(folder: Path, enrol: int = DEFAULT_ENROLLED) -> VoiceSplit:
    """Split known/NAME/* beside strangers/*, or NAME/* beside Unknown/*; raises DataError for neither.

    The first `enrol` recordings of each person are enrolled, and the rest are tested. The first half of the
    strangers' are trained on as Unknown's.
    """
    if (folder / "known").is_dir():
        people = list_person_files(folder / "known", is_recording)
        others = list_person_files(folder, is_recording).get("strangers", [])
    else:
        people = list_person_files(folder, is_recording)
        others = people.pop(UNKNOWN, [])
    enrolled = [
        (name, path) for name, paths in people.items() for path in paths[: min(enrol, len(paths) - 1) or 1]
    ]
    taken = {path for _, path in enrolled}
    tested: list[tuple[str | None, Path]] = [
        (name, path) for name, paths in people.items() for path in paths if path not in taken
    ]
    half = len(others) // 2
    enrolled += [(UNKNOWN, path) for path in others[:half]]
    tested += [(None, path) for path in others[half:]]
    if not people or not tested:
        raise DataError(
            f"{folder}: must hold known/NAME/* and strangers/*, or NAME/*, with two recordings or more "
            "of each person, got none to test"
        )
    return VoiceSplit(tuple(enrolled), tuple(tested))


def evaluate_voices(
    split: VoiceSplit,
    listener: VoiceListener,
    *,
    rule: DecisionRule,
    false_accept_rate: float,
    kind: str,
    compare: bool = False,
    conditions: Sequence[Condition] = CONDITIONS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> VoiceEvaluation:
    """Enrol, train as `face-det voice train` does, and test under each condition.

    With `compare`, the acoustic features and their network are trained and tested beside it. Raises what
    training raises. Recordings that cannot be read are left out.
    """
    total = len(split.enrolled) + len(split.tested)
    seen: list[Path] = []
    unreadable: list[Path] = []

    def listen_to(path: Path, listen: Callable[[Path], _Listened]) -> _Listened | None:
        on_progress(len(seen), total)
        seen.append(path)
        try:
            return listen(path)
        except SoundError:
            unreadable.append(path)
            return None

    rows = []
    for name, path in split.enrolled:
        turn = listen_to(path, lambda path: join_recording(listener.listen(path)))
        if isinstance(turn, Turn) and turn.encoding is not None:
            rows.append(VoiceRow(name, str(path), str(path), turn.speech_s, turn.encoding))
    gallery = make_gallery(rows, listener.encoder.fingerprint)
    trained = train_voices(gallery, [kind], false_accept_rate=false_accept_rate, jobs=1, thorough=True)
    network = train_on_enrolled(split.enrolled) if compare else None
    probes: dict[Condition, list[_Probe]] = {one: [] for one in conditions}
    for number, (truth, path) in enumerate(split.tested):
        sound = listen_to(path, _read_start)
        if sound is None:
            continue
        noise = np.random.RandomState(_NOISE_SEED + number).standard_normal(len(sound))
        for condition, heard, turn in _listen_under(sound, noise, listener, conditions):
            said = say_who(network, heard) if network is not None and turn is not None else None
            probes[condition].append(_Probe(truth, turn, said))
    on_progress(total, total)
    model = trained.models[0]
    results = tuple(_count(condition, probes[condition], model, rule) for condition in conditions)
    return VoiceEvaluation(split, model, results, tuple(unreadable))


def _read_start(path: Path) -> Float32Array:
    blocks, length = [np.zeros(0, np.float32)], 0
    for block in read_sound(path):
        blocks.append(block)
        length += len(block)
        if length >= _MAX_SOUND_S * SAMPLE_RATE:
            break
    return np.concatenate(blocks)


def _listen_under(
    sound: Float32Array,
    noise: npt.NDArray[np.float64],
    listener: VoiceListener,
    conditions: Iterable[Condition],
) -> Iterator[tuple[Condition, Float32Array, _Heard]]:
    """Yield the sound of a recording under each condition, and what is heard in it."""
    spoken = [one.samples for one in find_utterances([sound], listener.speech)]
    clean = np.concatenate([*spoken, np.zeros(0, np.float32)])
    power = float(np.mean(np.square(clean, dtype=np.float64))) if len(clean) else 0.0
    for condition in conditions:
        heard = sound
        if condition.length_s is not None:
            wanted = round(condition.length_s * SAMPLE_RATE)
            if len(clean) < wanted:
                yield condition, heard, None
                continue
            heard = clean[:wanted]
        if condition.noisy:
            level = np.sqrt(power / 10 ** (NOISE_DB / 10))
            heard = (heard + level * noise[: len(heard)]).astype(np.float32)
        turns = join_turns(find_utterances([heard], listener.speech), listener.encoder)
        yield condition, heard, join_recording(turns)


def _count(
    condition: Condition, probes: Sequence[_Probe], model: Model, rule: DecisionRule
) -> ConditionResult:
    heard = [(one.truth, one.heard.encoding) for one in probes if isinstance(one.heard, Turn)]
    without = [one.truth for one in probes if isinstance(one.heard, VoiceReason)]
    encodings = np.array([encoding for _, encoding in heard]).reshape(-1, count_dimensions(CAMPPLUS))
    truths = [truth for truth, _ in heard]
    predictions = predictions_from_matches(model, decide_names(model, encodings, rule), encodings)
    strangers = without.count(None)
    counts = count_open_set(truths, predictions, len(without) - strangers, strangers)
    genuine, impostor = _pair_scores(encodings, truths)
    rate = equal_error_rate(genuine, impostor) if len(genuine) and len(impostor) else None
    shorter = len(probes) - len(heard) - len(without)
    said = [(one.truth, one.said) for one in probes if one.said is not None]
    acoustic = count_open_set([truth for truth, _ in said], as_predictions([one for _, one in said]))
    return ConditionResult(
        condition,
        counts,
        rate,
        (len(genuine), len(impostor)),
        shorter,
        tuple(truths),
        predictions,
        _calibrate(truths, predictions),
        acoustic if said else None,
    )


def _calibrate(truths: Sequence[str | None], predictions: Predictions) -> ReliabilityDiagram:
    assert predictions.probability is not None
    right = [answer == truth for answer, truth in zip(predictions.answer, truths, strict=True)]
    return measure_reliability(predictions.probability, np.array(right, np.bool_))


def _pair_scores(
    encodings: Encodings, truths: Sequence[str | None]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the cosines of all pairs of recordings of one person, and of two; each stranger is another."""
    people = np.array([truth or f"\0{number}" for number, truth in enumerate(truths)], dtype=object)
    left, right = np.triu_indices(len(people), k=1)
    cosines = np.einsum("nd,nd->n", encodings[left], encodings[right])
    same = people[left] == people[right]
    return cosines[same], cosines[~same]


def equal_error_rate(genuine: npt.ArrayLike, impostor: npt.ArrayLike) -> float:
    """Return the rate at which misses equal false accepts, 0..1, for scores that are higher for one person.

    >>> equal_error_rate([0.9, 0.8, 0.4], [0.5, 0.2, 0.1])
    0.3333333333333333
    """
    own, other = np.sort(np.asarray(genuine)), np.sort(np.asarray(impostor))
    steps = np.unique(np.concatenate([own, other]))
    misses = np.searchsorted(own, steps, side="left") / len(own)
    accepts = 1 - np.searchsorted(other, steps, side="left") / len(other)
    return float(np.min(np.maximum(misses, accepts)))
