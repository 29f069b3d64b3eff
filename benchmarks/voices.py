"""Measure how long voices take: python benchmarks/voices.py RECORDING [--rounds 20] [--hours 0].

RECORDING has seven seconds of speech or more. Everything runs on one core. Prints, as JSON: the milliseconds
from seven seconds of sound to names (median and quartiles), the most memory, the seconds from the end of a
sentence to its answer while listening (of sentences of 3, 7 and 10 s), and with --hours the memory after a
tenth of a stream of so many hours, in which somebody speaks once a minute, and after all of it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from results import quartiles

from face_det.nets import Compute, SpeechNetwork
from face_det.voices import (
    SAMPLE_RATE,
    VoiceEncoder,
    VoiceListener,
    VoiceRecognizer,
    find_utterances,
    join_turns,
    read_sound,
)

SOUND_S = 7.0
SENTENCES_S = (3.0, 7.0, 9.9)
BLOCK = 480


def resident_mb() -> float:
    """Return the memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def delay_s(listener: VoiceListener, sentence: np.ndarray) -> float:
    """Return the seconds from the last sample of a sentence to its answer, as if it came as it is spoken."""
    handed, at = 0, 0.0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal handed, at
        quiet = 1e-4 * np.random.RandomState(1).standard_normal(SAMPLE_RATE).astype(np.float32)
        sound = np.concatenate([sentence, quiet])
        for start in range(0, len(sound), BLOCK):
            handed, at = start + BLOCK, time.perf_counter()
            yield sound[start : start + BLOCK]

    last = None
    for turn in listener.follow(blocks()):
        computing = time.perf_counter() - at
        last = max(0.0, (handed - len(sentence)) / SAMPLE_RATE) + computing
        if turn.end_s > len(sentence) / SAMPLE_RATE - 0.5:
            break
    assert last is not None
    return last


def stream_mb(listener: VoiceListener, speech: np.ndarray, hours: float) -> tuple[float, float]:
    """Return the memory after a tenth of an endless stream, and after all of it."""
    minutes = round(60 * hours)
    held = []

    def blocks() -> Iterator[np.ndarray]:
        for minute in range(minutes):
            quiet = 1e-4 * np.random.RandomState(minute).standard_normal(60 * SAMPLE_RATE - len(speech))
            yield speech
            yield quiet.astype(np.float32)
            if minute in (minutes // 10, minutes - 1):
                held.append(round(resident_mb(), 1))

    answers = sum(1 for _ in listener.follow(blocks()))
    assert answers >= minutes, answers
    return held[0], held[1]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--hours", type=float, default=0.0)
    asked = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    compute = Compute(threads=1)
    listener = VoiceListener(SpeechNetwork(compute), VoiceEncoder(compute))
    sound = np.concatenate([*read_sound(asked.recording)])
    wanted = sound[: round(SOUND_S * SAMPLE_RATE)]
    recognizer = VoiceRecognizer(listener, None)
    took, busy = [], []
    for _ in range(asked.rounds + 2):
        began, cpu = time.perf_counter(), time.process_time()
        turns = join_turns(find_utterances([wanted], listener.speech), listener.encoder)
        assert list(recognizer.name_turns(turns))
        took.append(1e3 * (time.perf_counter() - began))
        busy.append(1e3 * (time.process_time() - cpu))
    found = {"ms": quartiles(took[2:]), "cpu_ms": quartiles(busy[2:])}
    found["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)
    found["delay_s"] = {
        f"{length:g} s": quartiles(
            [
                delay_s(listener, np.resize(sound, round(length * SAMPLE_RATE)))
                for _ in range(asked.rounds // 4 + 1)
            ]
        )
        for length in SENTENCES_S
    }
    if asked.hours:
        found["stream_mb"] = stream_mb(listener, wanted, asked.hours)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
