"""The verbs about the model, at a real daemon over its socket."""

from __future__ import annotations

import json
import signal
import sys

import pytest
import zerorpc
from running import Daemon

REAL = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "embedder": "dlib_resnet"}


@pytest.fixture
def restarted():
    """Start another daemon on the files of one that has ended."""
    started = []

    def start(daemon):
        again = Daemon(
            daemon.folder,
            lambda config: [*REAL, config],
            json.loads(daemon.config.read_text())["faceDetServer"],
            {},
        )
        started.append(again)
        again.until_notified("READY=1")
        return again

    yield start
    for daemon in started:
        daemon.stop()


def test_a_rate_is_set_kept_and_taken_back(launch, restarted, call, small_photos):
    """In force at once, after a reload and after a restart; config.json stays as it is; each is audited."""
    daemon = launch(command=REAL, **SETTINGS, falseAcceptRate=0.01)
    call(daemon, "add_face", "Obama", str(small_photos["obama"]))
    call(daemon, "add_face", "Collins", str(small_photos["astronaut"]))
    before = daemon.config.read_text()
    assert call(daemon, "status")["falseAcceptRate"] == {"value": 0.01, "source": "config"}
    first = call(daemon, "status")["model"]["fingerprint"]
    answer = call(daemon, "set_false_accept_rate", 0.0001)
    assert answer == {"value": 0.0001, "source": "settings", "in_effect": True}
    assert call(daemon, "models")[0]["falseAcceptRate"] == 0.0001
    assert call(daemon, "status")["model"]["fingerprint"] != first
    assert call(daemon, "reload")["changed"] == []
    assert call(daemon, "status")["falseAcceptRate"] == {"value": 0.0001, "source": "settings"}
    assert daemon.config.read_text() == before
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
    (daemon.folder / "notify").unlink()
    daemon = restarted(daemon)
    with pytest.raises(zerorpc.RemoteError, match="BadRequest"):
        call(daemon, "set_false_accept_rate", 7)
    assert call(daemon, "status")["falseAcceptRate"] == {"value": 0.0001, "source": "settings"}
    assert call(daemon, "set_false_accept_rate", None)["source"] == "config"
    assert call(daemon, "models")[0]["falseAcceptRate"] == 0.01
    lines = [json.loads(line) for line in (daemon.folder / "audit.jsonl").read_text().splitlines()]
    outcomes = [line["outcome"] for line in lines if line["action"] == "set_false_accept_rate"]
    assert outcomes == ["begun", "done", "begun", "BadRequest", "begun", "done"]
