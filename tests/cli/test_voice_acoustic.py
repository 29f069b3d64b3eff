"""face-det voice acoustic and scripts/speaker_recognition.py: train and save, or load and listen."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from speech import CARDS, READER, samples_of, write_recording

from face_det.voices import acoustic_samples, compute_acoustics, person_of

pytest.importorskip("soundfile")
pytestmark = pytest.mark.skipif(not (READER and CARDS), reason="needs apt-get install pocketsphinx-testdata")

SCRIPT = Path(__file__).parents[2] / "scripts/speaker_recognition.py"


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the script in a folder; it must not print a traceback."""
    command = [sys.executable, str(SCRIPT), *map(str, words)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.slow
def test_the_script_trains_and_then_listens(tmp_path: Path) -> None:
    """Files are called after people, with one more character; there is a prediction every seven seconds."""
    for kind, readings, cards in (("train", READER[:3], CARDS[1:4]), ("validation", READER[3:4], CARDS[4:])):
        for name, recordings in (("reader", readings), ("cards", cards)):
            for number, path in enumerate(recordings):
                (tmp_path / "Audios" / kind).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, tmp_path / "Audios" / kind / f"{name}{number}.wav")
    (tmp_path / "Audios/train/text1.wav").write_text("Hello")
    (tmp_path / "Audios/train/x.wav").write_bytes(CARDS[0].read_bytes())
    done = run(tmp_path)
    assert done.returncode == 69
    assert done.stderr.endswith("must be a trained network, file not found; run it with --train first\n")
    done = run(tmp_path, "--train", "--json")
    trained = json.loads(done.stdout)
    assert trained["samples"] == {"cards": 3, "reader": 3}
    assert (trained["right"], trained["validated"]) == (2, 2)
    assert [line.count("left out") for line in done.stderr.splitlines()[-2:]] == [1, 1]
    sound = np.concatenate([samples_of(path) for path in (READER[4], READER[3], READER[2], CARDS[4])])
    long = write_recording(tmp_path / "long.flac", sound[: 15 * 16000])
    answers = [json.loads(line) for line in run(tmp_path, "--file", long, "--json").stdout.splitlines()]
    seconds = len(sound[: 15 * 16000]) / 16000
    assert [(one["begin_s"], one["end_s"]) for one in answers][:2] == [(0, 7), (7, 14)]
    assert answers[-1]["end_s"] == pytest.approx(seconds, abs=0.01)
    assert answers[0]["name"] == "reader"
    silence = write_recording(tmp_path / "silence.wav", np.zeros(16000))
    assert run(tmp_path, "--file", silence).stdout.split()[-2] in ("cards", "reader")


def test_without_recordings_it_says_what_belongs_there(tmp_path: Path) -> None:
    """Neither folder, an empty one, and a damaged file of the network."""
    done = run(tmp_path, "--train")
    assert (done.returncode, "got no such folder" in done.stderr) == (65, True)
    (tmp_path / "Audios/train").mkdir(parents=True)
    assert "must hold recordings such as anna1.wav and anna2.wav, got none" in run(tmp_path, "--train").stderr
    (tmp_path / "Models/Audios").mkdir(parents=True)
    (tmp_path / "Models/Audios/speakers.pickle").write_text("Hello")
    done = run(tmp_path, "--file", "-")
    assert done.returncode == 65
    assert "speakers.pickle: must be a whole pickle" in done.stderr


def test_seven_seconds_are_a_sample() -> None:
    """Whatever the blocks are; a rest counts from one second on, and anything that is all there is."""
    sound = np.random.RandomState(4).standard_normal(32000 * 15).astype(np.float32)
    blocks = [sound[start : start + 12345] for start in range(0, len(sound), 12345)]
    found = list(acoustic_samples(blocks))
    assert [(begin, end) for begin, end, _ in found] == [(0, 7), (7, 14), (14, 15)]
    assert np.array_equal(found[1][2], compute_acoustics(sound[32000 * 7 : 32000 * 14], 32000).mean())
    assert len(list(acoustic_samples([sound[: 32000 * 14 + 99]]))) == 2
    assert [one[:2] for one in acoustic_samples([sound[:3200]])] == [(0, 0.1)]
    assert list(acoustic_samples([])) == []
    assert person_of(Path("a.wav")) == ""
