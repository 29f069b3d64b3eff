"""Who enrolled, forgot, trained and reloaded, and when: the audit log of a daemon and of commands."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import gevent
import numpy as np
import pytest
import zerorpc
from running import eventually

from face_det.errors import CannotWrite
from face_det.gallery.gallery import Gallery
from face_det.rpc.caller import Caller
from face_det.service.audit import AuditLog


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def waits(process):
    """Whether the kernel has it in a queue for a lock."""
    return any(
        "->" in line and f" {process.pid} " in line for line in Path("/proc/locks").read_text().splitlines()
    )


def of(entries, *keys):
    return [tuple(entry.get(key) for key in keys) for entry in entries]


def test_calls_are_recorded_without_names(launch, call):
    """Beginning and end of each, with the caller's user id, counts and error; names only as keyed hashes."""
    daemon = launch(logLevel="debug")
    call(daemon, "add_face", "Zoe", b"")
    with pytest.raises(zerorpc.RemoteError, match="UnknownPerson"):
        call(daemon, "forget", "Zoe")
    call(daemon, "train")
    call(daemon, "people")
    call(daemon, "recognize", b"")
    daemon.signal(signal.SIGHUP)
    daemon.until_notified("READY=1")
    path = daemon.folder / "audit.jsonl"
    eventually(lambda: len(lines(path)) == 8, "the reload to end")
    entries = lines(path)
    assert of(entries, "action", "outcome", "door", "uid") == [
        ("enrol", "begun", "rpc", os.getuid()),
        ("enrol", "done", "rpc", os.getuid()),
        ("forget", "begun", "rpc", os.getuid()),
        ("forget", "UnknownPerson", "rpc", os.getuid()),
        ("train", "begun", "rpc", os.getuid()),
        ("train", "done", "rpc", os.getuid()),
        ("reload", "begun", "signal", None),
        ("reload", "done", "signal", None),
    ]
    assert all(entry["at"].endswith("+00:00") for entry in entries)
    assert [len({entry["id"] for entry in entries[i : i + 2]}) for i in range(0, 8, 2)] == [1] * 4
    assert "Zoe" not in path.read_text()
    zoe = AuditLog(path).person("Zoe")
    assert of(entries, "person") == [(zoe,)] * 4 + [(None,)] * 4
    assert AuditLog(daemon.folder / "other.jsonl").person("Zoe") != zoe, "another log, another key"
    for name in ("audit.jsonl", "audit.jsonl.key"):
        assert stat.S_IMODE((daemon.folder / name).stat().st_mode) == 0o600


def test_tcp_callers_by_address(launch, call, free_port):
    """Over tcp it is the address that is known."""
    daemon = launch(zerorpcPipe=f"tcp://127.0.0.1:{free_port}")
    call(daemon, "train")
    assert of(lines(daemon.folder / "audit.jsonl"), "uid", "peer") == [(None, "127.0.0.1")] * 2


def test_a_kill_leaves_a_beginning(launch, call, gate):
    """kill -9 in the middle: the action's beginning is there, and what was cut off is closed by the next."""
    daemon = launch()
    busy = gevent.spawn(call, daemon, "add_face", [*gate.steps], b"")
    gate.begun()
    daemon.process.kill()
    daemon.ended()
    busy.kill()
    path = daemon.folder / "audit.jsonl"
    assert of(lines(path), "action", "outcome") == [("enrol", "begun")]
    with path.open("ab") as log:
        log.write(b'{"at": "2026-01-01T00:00:0')
    again = launch(auditPath=str(path))
    call(again, "train")
    whole = path.read_bytes().splitlines()
    assert whole[1] == b'{"at": "2026-01-01T00:00:0'
    assert of(map(json.loads, whole[2:]), "action", "outcome") == [("train", "begun"), ("train", "done")]
    assert [entry.action for entry in AuditLog(path).entries()] == ["enrol", "train", "train"]


@pytest.mark.parametrize("what", ["folder", "pipe", "/dev/full", "bad key"])
def test_an_audit_log_that_cannot_be_written(launch, call, folder, what):
    """It is told loudly and in status(), and calls are answered all the same."""
    place = folder / "log"
    if what == "folder":
        place.mkdir()
    if what == "pipe":
        os.mkfifo(place)
    if what == "/dev/full":
        place.symlink_to("/dev/full")
    if what == "bad key":
        (folder / "log.key").write_text("short")
    daemon = launch(auditPath=str(place))
    assert call(daemon, "train" if what != "bad key" else "add_face", *(["Zoe", b""] * (what == "bad key")))
    assert call(daemon, "status")["audit"] == {"path": str(place), "failed": 2}
    assert daemon.log().count("ERROR face_det.service.audit the audit log lacks a line (") == 2


def test_what_fails_after_its_first_line_is_told_once(tmp_path, caplog):
    """Both lines that are missing count, but one reason is enough to read."""
    (tmp_path / "file").touch()
    log = AuditLog(tmp_path / "file" / "audit.jsonl")
    with pytest.raises(CannotWrite), log.recorded(Caller("command"), "encode"):
        raise CannotWrite("the dataset's disk is full")
    assert log.failed == 2
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


def test_many_writers_one_line_each(tmp_path):
    """Processes that write at once neither mix nor lose lines, and make one key."""
    code = (
        "import sys; from pathlib import Path; from face_det.rpc import Caller; "
        "from face_det.service.audit import AuditLog\n"
        "log = AuditLog(Path(sys.argv[1]))\n"
        "for number in range(50):\n"
        "    with log.recorded(Caller('command', uid=int(sys.argv[2])), 'enrol', 'Zoe'): pass\n"
        "assert not log.failed"
    )
    path = tmp_path / "new" / "audit.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", code, path, str(uid)]) for uid in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    entries = lines(path)
    assert {uid: sum(entry["uid"] == uid for entry in entries) for uid in range(4)} == dict.fromkeys(
        range(4), 100
    )
    assert {entry["person"] for entry in entries} == {AuditLog(path).person("Zoe")}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_half_a_line_of_another_writer_is_not_cut_off(tmp_path):
    """What another process is still writing is waited for, not closed by an empty line."""
    path = tmp_path / "audit.jsonl"
    entry = b'{"at": "now", "id": "1", "action": "train", "outcome": "begun", "door": "daemon"}\n'
    with path.open("ab", buffering=0) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(entry[:30])
        code = (
            "import sys; from pathlib import Path; from face_det.rpc import Caller; "
            "from face_det.service.audit import AuditLog\n"
            "with AuditLog(Path(sys.argv[1])).recorded(Caller('command'), 'train'): pass\n"
        )
        writer = subprocess.Popen([sys.executable, "-c", code, path])
        eventually(lambda: waits(writer) or writer.poll() is not None, "the writer to wait")
        other.write(entry[30:])
    assert writer.wait() == 0
    assert [entry["outcome"] for entry in lines(path)] == ["begun", "begun", "done"]


def test_an_interrupt_is_an_end(tmp_path):
    """Also what is no error of ours ends an entry, without its message."""
    log = AuditLog(tmp_path / "audit.jsonl")
    for error in (KeyboardInterrupt, RuntimeError("Zoe")):
        with pytest.raises((KeyboardInterrupt, RuntimeError)), log.recorded(Caller("command"), "train"):
            raise error
    outcomes = [entry.outcome for entry in log.entries()]
    assert outcomes == ["begun", "KeyboardInterrupt", "begun", "InternalError"]


def test_a_stale_model_is_trained_again_in_the_background(launch, call, folder):
    """autoRetrain: the daemon starts with a model that does not load, answers, and mends it by itself."""
    real = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
    made = Gallery(np.random.default_rng(1).normal(size=(6, 128)) / 10, ["Ann"] * 3 + ["Bob"] * 3)
    (folder / "encodings.pickle").write_bytes(made.dumps())
    (folder / "m.pickle").write_bytes(b"\x80\x04N.")
    places = {"encodingsPath": str(folder / "encodings.pickle"), "modelPath": str(folder / "m.pickle")}
    settings = {"faceDetModel": "hog", "embedder": "dlib_resnet", "labelPath": str(folder / "l.pickle")}
    refused = launch(command=real, ready=False, **places, **settings)
    assert refused.ended() == 69
    daemon = launch(command=real, autoRetrain=True, **places, **settings)
    assert call(daemon, "detect_faces", []) == "[]"
    status = eventually(
        lambda: (s := call(daemon, "status"))["stale"] is None and s, "the model to be mended"
    )
    assert status["model"]["classes"][:2] == ["Ann", "Bob"]
    assert status["model_file"]["state"] == "in_use"
    # The line follows the change.
    eventually(lambda: len(lines(folder / "audit.jsonl")) == 2, "the second line")
    assert of(lines(folder / "audit.jsonl"), "action", "outcome", "door") == [
        ("train", "begun", "daemon"),
        ("train", "done", "daemon"),
    ]
