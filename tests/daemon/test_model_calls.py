"""The verbs about the model, at a real daemon over its socket."""

from __future__ import annotations

import io
import json
import signal
import sys
import zipfile

import PIL.Image
import PIL.ImageEnhance
import pytest
import zerorpc
from running import Daemon, eventually

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


@pytest.mark.slow
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
    assert call(daemon, "explain", str(small_photos["obama3"]))["nearest"][0]["name"] == "Obama"
    assert [one["in_use"] for one in call(daemon, "preview")].count(True) == 1
    made = call(daemon, "backup")
    data = call(daemon, "read_backup", made["id"], 0, made["bytes"])
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert {"config.json", "settings.json", "backup.json", "encodings.pickle"} <= {*names}
    assert call(daemon, "backups") == [{"id": made["id"], "bytes": made["bytes"]}]
    assert call(daemon, "drop_backup", made["id"]) == {"id": made["id"]}
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


def until_evaluated(call, daemon):
    """Wait for an evaluation, which gets only what other processes leave of the processor."""
    running = lambda: call(daemon, "status")["evaluation"]["running"]  # noqa: E731
    eventually(lambda: not running(), "the end of the evaluation", patience_s=800)


@pytest.mark.slow
def test_an_evaluation_runs_beside_the_calls_and_lasts(launch, restarted, call, small_photos):
    """One at a time; its report outlives the daemon, and not a person whom it names."""
    daemon = launch(command=REAL, **SETTINGS)
    assert call(daemon, "evaluation") is None
    idle = {"running": False, "step": None, "done": 0, "total": 0, "started": None, "error": None}
    assert call(daemon, "status")["evaluation"] == idle
    with pytest.raises(zerorpc.RemoteError, match=r"options.person: unknown; must be one of: people"):
        call(daemon, "evaluate", {"person": 1})
    call(daemon, "evaluate")
    until_evaluated(call, daemon)
    assert "dataset" in call(daemon, "status")["evaluation"]["error"], "there are no photos"
    for number, name in enumerate(("obama", "obama2", "obama3")):
        for person in ("Obama", "Collins"):
            picture = small_photos[name] if person == "Obama" else small_photos["astronaut"]
            folder = daemon.folder / "dataset" / person
            folder.mkdir(parents=True, exist_ok=True)
            changed = PIL.Image.open(picture).convert("RGB")
            changed = PIL.ImageEnhance.Brightness(changed).enhance(1 - number / 10)
            changed.save(folder / f"{number}.jpg")
    call(daemon, "train", {"quick": True})
    begun = call(daemon, "evaluate", {"enrol": 2})
    assert begun["running"]
    with pytest.raises(zerorpc.RemoteError, match="Busy"):
        call(daemon, "evaluate")
    assert len(call(daemon, "people")) == 2
    until_evaluated(call, daemon)
    assert call(daemon, "status")["evaluation"]["error"] is None
    found = call(daemon, "evaluation")
    assert found["options"] == {"enrol": 2}
    assert set(found["report"]["perPerson"]) == {"Obama", "Collins"}
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
    (daemon.folder / "notify").unlink()
    daemon = restarted(daemon)
    assert call(daemon, "evaluation") == found
    call(daemon, "forget", "Collins")
    assert call(daemon, "evaluation") is None
    assert [*(daemon.folder / "state").glob("evaluation*")] == []


@pytest.mark.slow
def test_doctor_says_what_the_command_says(lasting_real, call):
    """In a process of its own, which finds this daemon; asked again, the answer is the same one."""
    found = call(lasting_real, "doctor", timeout=600)
    states = {check["check"]: check["state"] for check in found["checks"]}
    assert states["config"] == "ok"
    assert states["daemon"] in ("ok", "warning")
    assert "answers in" in next(check["text"] for check in found["checks"] if check["check"] == "daemon")
    assert call(lasting_real, "doctor") == found
