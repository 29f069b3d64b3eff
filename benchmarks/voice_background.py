"""Add voices to face_det/training/background.json: python benchmarks/voice_background.py FOLDER.

FOLDER holds known/NAME/* and strangers/*, recordings in the layout that `face-det voice evaluate` reads. The
first 5 recordings of each person and the first half of the strangers' are used. An evaluation enrols exactly
these, so the recordings that it tests never reach the background.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np

from face_det.classifiers import normalise_encodings, similarity_to_score
from face_det.embedders import CAMPPLUS
from face_det.nets import SpeechNetwork
from face_det.types import UNKNOWN
from face_det.voices import Turn, VoiceEncoder, VoiceListener, join_recording, split_recordings

REPEATS = 20
TAIL_START = 0.98
TARGET = Path(__file__).parents[1] / "face_det/training/background.json"


def table(
    people: list[np.ndarray], strangers: np.ndarray, bursts: int, mean_voice: np.ndarray, levels: list[float]
) -> dict[str, object]:
    """Score quantiles for templates of `bursts` recordings, each compared with recordings outside it."""
    genuine, impostor = [], []
    for repeat in range(REPEATS):
        rng = np.random.default_rng(repeat)
        for number, recordings in enumerate(people):
            order = rng.permutation(len(recordings))
            template = normalise_encodings(recordings[order[:bursts]].sum(axis=0)) - mean_voice
            genuine += (recordings[order[bursts:]] @ template).tolist()
            # The other people are strangers to this one, too.
            others = [strangers, *(each for at, each in enumerate(people) if at != number)]
            impostor += (np.vstack(others) @ template).tolist()
    own, other = similarity_to_score(np.array(genuine)), similarity_to_score(np.array(impostor))
    start = float(np.quantile(other, TAIL_START))
    scale = float((other[other > start] - start).mean())
    # So few strangers cannot tell what one in 5,000 does; above the start, the tail is taken as exponential.
    strangers_at = [
        float(np.quantile(other, level))
        if level <= TAIL_START
        else start + scale * math.log((1 - TAIL_START) / (1 - level))
        for level in levels
    ]
    return {
        "moments": bursts,
        "genuine": [round(float(value), 4) for value in np.quantile(own, levels)],
        "impostor": [round(value, 4) for value in strangers_at],
        "tail": round(scale, 4),
    }


def main() -> None:
    """Listen to the recordings and write the background file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    listener = VoiceListener(SpeechNetwork(), VoiceEncoder())
    people: dict[str, list[np.ndarray]] = {}
    for name, path in split_recordings(parser.parse_args().folder).enrolled:
        turn = join_recording(listener.listen(path))
        if isinstance(turn, Turn) and turn.encoding is not None:
            people.setdefault(name, []).append(turn.encoding)
    strangers = np.array(people.pop(UNKNOWN))
    known = [np.array(recordings) for recordings in people.values()]
    mean_voice = strangers.mean(axis=0).round(5)
    content = json.loads(TARGET.read_text("utf-8"))
    content["embedders"][CAMPPLUS] = {
        "from": "LibriSpeech test-other",
        "mean_face": mean_voice.tolist(),
        "tables": [table(known, strangers, bursts, mean_voice, content["levels"]) for bursts in (1, 2, 3, 4)],
    }
    TARGET.write_text(json.dumps(content) + "\n", "utf-8")


if __name__ == "__main__":
    main()
