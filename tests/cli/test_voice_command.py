"""face-det voice: recordings beside the photos, a model of voices, and who speaks when."""

from __future__ import annotations

import json
import shutil
import signal
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
from face_det.service import open_audit_log

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


def test_changes_are_audited_without_names(household: Path) -> None:
    """A line before and one after each command that changes the files, with the number of recordings."""
    entries = open_audit_log(None, household / "encodings.pickle").entries()[:4]
    assert [(one.action, one.outcome, one.door) for one in entries] == [
        ("voice encode", "begun", "command"),
        ("voice encode", "done", "command"),
        ("voice train", "begun", "command"),
        ("voice train", "done", "command"),
    ]
    assert entries[1].counts == {"encoded": 6, "reused": 0}
    assert "Reader" not in (household / "audit.jsonl").read_text()


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


@pytest.mark.slow
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


def test_listen_answers_while_the_pipe_is_open(household: Path) -> None:
    """Each sentence 0.4 s after its end, the second of a speaker with the first; Ctrl-C ends it."""
    pause = bytes(2 * 6400)
    with subprocess.Popen(
        [*FACE_DET, "voice", "listen", "--file", "-", "--json"],
        cwd=household,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as listening:
        assert listening.stdin is not None
        assert listening.stdout is not None
        assert listening.stderr is not None
        answers = []
        for path in (READER[3], READER[4], CARDS[4]):
            sound = np.concatenate([samples_of(path), np.zeros(6400, np.float32)])
            listening.stdin.write(np.round(sound * 32767).astype("<i2").tobytes())
            listening.stdin.flush()
            answers.append(json.loads(listening.stdout.readline()))
            while answers[-1]["end"] < len(sound) / 16000 - 1.2:  # a pause within the sentence
                answers[-1] = json.loads(listening.stdout.readline())
            listening.stdin.write(pause)
        listening.send_signal(signal.SIGINT)
        assert listening.wait(300) == 0
        assert listening.stderr.read() == b"listening\n"
    assert [(one["outcome"], one["voice"]) for one in answers] == [
        ("known", "Reader"),
        ("known", "Reader"),
        ("known", "Cards"),
    ]
    assert answers[0]["begin"] == answers[1]["begin"] < answers[2]["begin"]
    assert answers[0]["speech"] < answers[1]["speech"]


@pytest.mark.slow
def test_listen_to_a_file_or_to_nobody(household: Path, tmp_path: Path) -> None:
    """A file is heard like a pipe; music and silence are told as no_speech; options must fit together."""
    done = run(household, "voice", "listen", "--file", CARDS[4])
    assert "Cards" in done.stdout.splitlines()[-1]
    t = np.arange(6 * 16000) / 16000
    chord = sum(np.sin(2 * np.pi * hertz * t) for hertz in (262, 330, 392, 523)) / 8
    music = write_recording(tmp_path / "music.wav", chord * (1 + np.sign(np.sin(12 * t))) / 2)
    done = run(household, "voice", "listen", "--file", music)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == "face-det: nobody spoke (no_speech)"
    for words, said in (
        (["--file", music, "--device", "1"], "give one of them"),
        (["--file", music, "--rate", "8000"], "add --file -"),
    ):
        done = run(household, "voice", "listen", *words)
        assert (done.returncode, said in done.stderr) == (2, True)
    done = run(household, "voice", "listen", "--file", tmp_path / "none.wav")
    assert done.returncode == 65
    assert "No such file" in done.stderr


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
    words = ("voices", "--enrol", "2", "--compare", "--html", "report.html", "--json")
    found = answer(run(tmp_path, "voice", "evaluate", *words))
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
    # At the highest threshold nobody is named; at some lower one, those who were.
    assert (whole["det"][0]["strangersNamed"], whole["det"][0]["knownNotNamedRightly"]) == (0, 1)
    assert {"strangersNamed": 0, "knownNotNamedRightly": round(1 - right["count"] / 5, 4)} in whole["det"]
    encoded = 6 - sum(whole["notEncoded"].values())
    assert sum(one["count"] for one in whole["calibration"]["bins"]) == encoded
    acoustic = whole["acoustic"]
    assert acoustic["strangers, named"] == {"count": 1, "of": 1, "interval": [0.2065, 1.0]}
    assert acoustic["known, named rightly"]["count"] + acoustic["known, named wrongly"]["count"] == 5
    assert conditions["7 s"]["acoustic"] is None
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img") >= 4
    for said in ("Error trade-off: whole", "Does voiceProba mean what it says? whole", "They name everybody"):
        assert said in page
