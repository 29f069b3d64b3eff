"""face-det voice: recordings beside the photos, a model of voices, and who speaks when."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import speech
from speech import CARDS, FOLDER, READER, samples_of, write_recording

from face_det.enrolment import VoicePaths
from face_det.recognition import load_model

pytestmark = pytest.mark.skipif(speech.missing() is not None, reason=str(speech.missing()))

FACE_DET = [sys.executable, "-c", "from face_det.cli.entry import run; run()"]


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run face-det in a folder; it must not print a traceback."""
    done = subprocess.run(
        [*FACE_DET, *map(str, words)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command printed as JSON."""
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def household(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people enrolled with some of their recordings, and everything wrong beside them; trained."""
    folder = tmp_path_factory.mktemp("household")
    (folder / "config.json").write_text('{"faceDetServer": {"datasetPath": "dataset"}}')
    for name, recordings in (("Reader", READER[:3]), ("Cards", CARDS[1:4])):
        (folder / "dataset" / name).mkdir(parents=True)
        for path in recordings:
            shutil.copy(path, folder / "dataset" / name)
    reader = folder / "dataset/Reader"
    (reader / "photo.jpg").write_bytes(b"\xff\xd8\xff a photo is none of its business")
    (reader / "text.wav").write_text("Hello")
    shutil.copy(CARDS[0], reader / "word.wav")
    write_recording(reader / "silence.flac", np.zeros(32000))
    both = np.concatenate([samples_of(READER[3]), np.zeros(8000), samples_of(CARDS[4])])
    write_recording(reader / "both.wav", both)
    report = answer(run(folder, "voice", "encode", "--json"))
    assert {one["name"]: one["recordings"] for one in report["people"]} == {"Cards": 3, "Reader": 3}
    reasons = {Path(one["path"]).name: one["reason"] for one in report["leftOut"]}
    assert reasons == {
        "text.wav": "bad_sound",
        "word.wav": "too_short",
        "silence.flac": "no_speech",
        "both.wav": "several_voices",
    }
    trained = answer(run(folder, "voice", "train", "--json"))
    assert trained["people"] == {"Cards": 3, "Reader": 3}
    return folder


def test_what_is_encoded_already_is_reused(household: Path) -> None:
    """By the content of a file; the file of encodings holds the same afterwards."""
    paths = VoicePaths.beside(household / "encodings.pickle")
    before = paths.encodings.read_bytes()
    done = run(household, "voice", "encode")
    assert "6 recordings of 2 people (0 encoded, 6 reused)" in done.stdout
    assert paths.encodings.read_bytes() == before
    assert load_model(paths.model, paths.labels).labels == ("Cards", "Reader", "Unknown")


def test_new_recordings_are_named_and_strangers_are_not(household: Path, tmp_path: Path) -> None:
    """One sentence after the other in one recording; a man who is not enrolled has no name."""
    sound = np.concatenate([samples_of(READER[3]), np.zeros(12000), samples_of(CARDS[4])])
    two = write_recording(tmp_path / "two.ogg", sound)
    stranger = np.fromfile(FOLDER / "goforward.raw", "<i2") / 32768
    other = write_recording(tmp_path / "stranger.wav", stranger)
    nobody = write_recording(tmp_path / "nobody.wav", np.zeros(16000))
    found = answer(run(household, "voice", "recognize", "--json", two, other, nobody))
    first, second = found[0]["segments"]
    assert (first["outcome"], first["voice"]) == ("known", "Reader")
    assert (second["outcome"], second["voice"]) == ("known", "Cards")
    assert 0 <= first["begin"] < first["end"] <= second["begin"] < second["end"]
    assert first["voiceProba"] > 0.9
    assert {one["voice"] for one in found[1]["segments"]} <= {None, "Unknown"}
    assert found[1]["segments"]
    assert (found[2]["segments"], found[2]["reason"]) == ([], "no_speech")


def test_people_and_forget_count_recordings(household: Path, tmp_path: Path) -> None:
    """Without a daemon, too; nothing of the voice is left, and the others are still recognised."""
    shutil.copytree(household, tmp_path, dirs_exist_ok=True)
    counts = {one["name"]: one["recordings"] for one in answer(run(tmp_path, "people", "--json"))}
    assert counts == {"Cards": 3, "Reader": 7}
    assert "recordings" in run(tmp_path, "people").stdout
    told = run(tmp_path, "forget", "Reader", "--yes").stdout
    assert told.startswith("Reader: 1 photo, 7 recordings")
    paths = VoicePaths.beside(tmp_path / "encodings.pickle")
    assert load_model(paths.model, paths.labels).labels == ("Cards", "Unknown")
    assert b"Reader" not in paths.encodings.read_bytes()
    assert answer(run(tmp_path, "people", "--json")) == [{"name": "Cards", "images": 0, "recordings": 3}]


def test_a_file_that_is_no_recording_does_not_spoil_the_others(household: Path, tmp_path: Path) -> None:
    """They are answered, and the command ends with 65 and one line."""
    (tmp_path / "text.mp3").write_text("Hello")
    done = run(household, "voice", "recognize", READER[4], tmp_path / "text.mp3", tmp_path / "none.wav")
    assert done.returncode == 65
    assert "Reader" in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"face-det: {tmp_path / 'text.mp3'}: ")
    assert line.endswith("(and 1 more)")


def test_without_a_model_the_command_says_what_to_do(tmp_path: Path) -> None:
    """Recognising and training need what the commands before them wrote."""
    for words, said in (
        (["recognize", READER[0]], "run 'face-det voice encode' and 'face-det voice train'"),
        (["train"], "run 'face-det voice encode'"),
    ):
        done = run(tmp_path, "voice", *words)
        assert done.returncode in (65, 69)
        (line,) = done.stderr.splitlines()
        assert line.endswith(said)


@pytest.mark.slow
def test_evaluation_counts_every_recording_under_every_condition(tmp_path: Path) -> None:
    """Nobody gets a wrong name, and what is too short for a length is not tested with it."""
    (tmp_path / "config.json").write_text('{"faceDetServer": {}}')
    for name, recordings in (("Reader", READER), ("Cards", CARDS[1:])):
        (tmp_path / "voices/known" / name).mkdir(parents=True)
        for path in recordings:
            shutil.copy(path, tmp_path / "voices/known" / name)
    for name in ("goforward", "something"):
        raw = np.fromfile(FOLDER / f"{name}.raw", "<i2") / 32768
        write_recording(tmp_path / f"voices/strangers/{name}.flac", raw)
    found = answer(run(tmp_path, "voice", "evaluate", "voices", "--enrol", "2", "--json"))
    assert (found["enrolled"], found["tested"], found["unreadable"]) == (5, 6, [])
    conditions = {one["condition"]: one for one in found["conditions"]}
    assert [*conditions][:4] == ["whole", "7 s", "3 s", "1 s"]
    for name, one in conditions.items():
        shares, without = one["shares"], one["notEncoded"]
        known, strangers = shares["known, named rightly"]["of"], shares["strangers, named"]["of"]
        assert known + strangers + one["shorter"] == 6, name
        assert shares["known, named wrongly"]["count"] == shares["strangers, named"]["count"] == 0, name
        assert without["known"] <= known
    whole = conditions["whole"]
    right = whole["shares"]["known, named rightly"]
    # Each of the cards is but a second and a half, and two are little to know somebody by.
    assert right["of"] == 5
    assert right["count"] >= 4
    assert whole["equalErrorRate"] == 0
    assert whole["pairs"] == {"same": 4, "different": 11}
    assert conditions["7 s"]["shorter"] == 6
