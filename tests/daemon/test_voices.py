"""Voices over zerorpc, in the daemon as it is installed."""

from __future__ import annotations

import json
import sys
import threading

import pytest
import speech
from speech import READER

from face_det.errors import NoVoice
from face_det.rpc import Client

pytestmark = pytest.mark.skipif(speech.missing() is not None, reason=str(speech.missing()))

REAL = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")


@pytest.mark.slow
def test_a_voice_is_learnt_and_heard_while_pictures_are_answered(launch, tmp_path):
    """The verbs end to end; a long recording holds up no detect_faces; each change is in the audit log."""
    daemon = launch(command=REAL, faceDetModel="hog", numFaceImgUpsample=0)
    sounds = [speech.samples_of(path) for path in READER]
    long = speech.write_recording(
        tmp_path / "long.flac", [one for _ in range(5) for s in sounds for one in s]
    )
    with Client(daemon.endpoint, timeout_s=600) as client, Client(daemon.endpoint, timeout_s=600) as other:
        assert client.status()["voice"] == {"loaded": False}
        added = client.add_voice("Reader", READER[0].read_bytes())
        assert (added["recordings"], added["change"]) == (1, "photos-1")
        assert client.status()["voice"] == {"loaded": True}
        heard: list = []
        listening = threading.Thread(target=lambda: heard.append(other.recognize_voice(long.read_bytes())))
        listening.start()
        answers = 0
        while listening.is_alive():
            assert client.detect_faces([]) == "[]"
            answers += 1
        listening.join()
        assert answers > 1
        assert heard[0]["segments"]
        with pytest.raises(NoVoice, match=r"^bytes: must hold a second"):
            client.add_voice("Reader", speech.CARDS[0].read_bytes())
        client.delete_recording("Reader", added["recording"])
        client.undo("photos-2")
        assert [one["state"] for one in client.recordings("Reader")] == ["enrolled"]
        assert client.recording("Reader", added["recording"]) == READER[0].read_bytes()
        assert client.forget("Reader")["recordings"] == 1
    daemon.stop()
    log = [json.loads(line) for line in (daemon.folder / "audit.jsonl").read_text().splitlines()]
    ended = [(one["action"], one["outcome"]) for one in log if one["outcome"] != "begun"]
    assert ended == [
        ("add_voice", "done"),
        ("add_voice", "NoVoice"),
        ("delete_recording", "done"),
        ("undo", "done"),
        ("forget", "done"),
    ]
    assert not [*daemon.folder.glob("voice_*")]
