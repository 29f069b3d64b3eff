"""What callers see: answers, errors, and nothing that is not on the menu."""

from __future__ import annotations

import json
import re

import gevent
import pytest
import zerorpc
from running import eventually


def test_answers_in_the_shapes_of_the_verbs(lasting, call):
    """Each verb answers the plain zerorpc client, over tcp as over ipc."""
    assert call(lasting, "detect_faces", []) == "[]"
    assert call(lasting, "detect_faces", [{"note": "ä"}]) == json.dumps([{"note": "ä"}])
    assert call(lasting, "recognize", b"\xff\xd8", {"a": 1}) == [
        {"face": None, "bytes": 2, "options": {"a": 1}}
    ]
    assert call(lasting, "recognize", "/a.jpg") == [{"face": None, "bytes": 6, "options": None}]
    assert call(lasting, "add_face", "Ann", b"x") == {"name": "Ann", "images": 1}
    assert call(lasting, "people") == [{"name": "Ann", "images": 3}]
    assert call(lasting, "train", {}) == {"trained": True}
    assert call(lasting, "train") == {"trained": True}
    assert call(lasting, "reload")["model"]["classifier"] == "svm"


def test_eight_clients_at_once_are_all_answered(lasting):
    """8 clients with 20 calls each: every answer comes, and is that of its call."""

    def many(number):
        client = lasting.client()
        try:
            return [client.detect_faces([{"note": f"{number}-{index}"}]) for index in range(20)]
        finally:
            client.close()

    callers = [gevent.spawn(many, number) for number in range(8)]
    for number, caller in enumerate(callers):
        assert caller.get(timeout=300) == [json.dumps([{"note": f"{number}-{index}"}]) for index in range(20)]


def test_errors_travel_as_class_name_and_one_line(lasting, call):
    """An error on purpose keeps its name; its message is one line, and stands for the traceback, too: clients
    that show only that, as Node's does, show the message."""
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(lasting, "detect_faces", [{"fail": ["BadImage", "a.jpg: must be JPEG,\ngot text"]}])
    assert caught.value.name == "BadImage"
    assert caught.value.traceback == "BadImage: a.jpg: must be JPEG, got text"
    assert caught.value.msg == "a.jpg: must be JPEG, got text"
    assert str(caught.value) == "BadImage: a.jpg: must be JPEG, got text"


def test_a_path_that_is_no_utf8_can_be_named_in_an_error(lasting, call):
    """Such a name cannot travel as it is, which must not hide the error."""
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(lasting, "detect_faces", [{"fail_at_path": b"\xff.jpg"}])
    assert (caught.value.name, caught.value.msg) == ("BadImage", "?.jpg: must be a picture")


def test_an_unexpected_error_is_told_in_a_line_and_logged_in_full(lasting, call):
    """A bug in the service becomes InternalError outside, and one log record with its traceback here."""
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(lasting, "detect_faces", [{"fail": ["ZeroDivisionError", "private matters"]}])
    assert caught.value.name == "InternalError"
    assert caught.value.msg == "ZeroDivisionError inside the daemon; see its log"
    assert caught.value.traceback == f"InternalError: {caught.value.msg}"
    (record,) = [line for line in lasting.log().splitlines() if "private matters" in line]
    assert "Traceback" in record
    assert "fake_daemon.py" in record
    assert call(lasting, "people")


@pytest.mark.parametrize("verb", ["SystemExit", "KeyboardInterrupt"])
def test_nothing_that_a_call_raises_ends_the_daemon(lasting, call, verb):
    """Even what ends a Python program is only an InternalError of one call."""
    with pytest.raises(zerorpc.RemoteError, match="InternalError"):
        call(lasting, "detect_faces", [{"fail": [verb, "out"]}])
    assert call(lasting, "people")


@pytest.mark.parametrize(
    ("verb", "args", "message"),
    [
        ("detect_faces", (), "detect_faces takes images, got 0 arguments"),
        ("detect_faces", ([], 1), "detect_faces takes images, got 2 arguments"),
        ("recognize", (), "recognize takes image, options (optional), got 0 arguments"),
        ("people", (1,), "people takes no arguments, got 1 argument"),
        ("detect_faces", ({},), "images: must be a list, got dict"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(lasting, call, verb, args, message):
    """The message says what the verb takes and what it got."""
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(lasting, verb, *args)
    assert (caught.value.name, caught.value.msg) == ("BadRequest", message)


def test_only_the_verbs_can_be_called(lasting, call):
    """No attribute, private or inherited or of the server, is within reach."""
    verbs = ["detect_faces", "recognize", "follow", "recognize_video"]
    verbs += ["recognize_voice", "add_voice", "heard", "recordings", "recording", "delete_recording"]
    verbs += ["add_face", "people", "forget"]
    verbs += ["train", "reload", "status", "export", "sightings", "sighting", "thumbnail", "picture"]
    verbs += ["unknowns", "events", "cursor"]
    verbs += ["name_unknown", "merge", "split", "ignore", "confirm", "correct", "undo"]
    verbs += ["photos", "photo", "delete_photo"]
    verbs += ["move_photo", "rename_person", "merge_people", "remove_person", "changes"]
    verbs += ["explain", "verify", "models", "use_model", "preview", "set_false_accept_rate"]
    verbs += ["evaluate", "evaluation", "doctor", "backup", "backups", "read_backup", "drop_backup"]
    verbs += ["write_restore", "restore", "clear", "report_cameras", "camera_picture"]
    assert call(lasting, "_zerorpc_list") == verbs
    out_of_reach = [
        "dteect_faces",
        "_secret",
        "_service",
        "__init__",
        "__class__",
        "config",
        "methods",
        "summary",
    ]
    for name in [
        *out_of_reach,
        "reload_on_signal",
        "stop",
        "close",
        "_compute",
        "",
        "people ",
        "detect_faces.x",
    ]:
        with pytest.raises(zerorpc.RemoteError) as caught:
            call(lasting, name)
        assert caught.value.name == "BadRequest"
        assert caught.value.msg == f"verb: must be one of {', '.join(verbs)}, got {name!r}"


def test_a_full_queue_is_busy_at_once(launch, call, gate):
    """One call computes, two wait: the fourth is told so at once, and nobody else is harmed."""
    daemon = launch(workers=1, queueSize=2)
    first = gevent.spawn(call, daemon, "detect_faces", list(gate.steps))
    gate.begun()
    waiting = [gevent.spawn(call, daemon, "detect_faces", []) for _ in range(2)]
    eventually(lambda: call(daemon, "status")["queue_depth"] == 2, "two calls to wait")
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(daemon, "detect_faces", [])
    assert (caught.value.name, caught.value.msg) == ("Busy", "queue full: 2 calls are waiting; try again")
    gate.open()
    assert json.loads(first.get(timeout=300)) == list(gate.steps)
    assert [greenlet.get(timeout=300) for greenlet in waiting] == ["[]", "[]"]


def test_status_and_people_do_not_wait_in_the_queue(launch, call, gate):
    """While every worker computes, status() and people() answer, with the workers' counters in it."""
    daemon = launch(workers=1, queueSize=5)
    call(daemon, "detect_faces", [])
    with pytest.raises(zerorpc.RemoteError):
        call(daemon, "detect_faces", 3)
    busy = gevent.spawn(call, daemon, "detect_faces", list(gate.steps))
    gate.begun()
    assert call(daemon, "people") == [{"name": "Ann", "images": 3}]
    status = call(daemon, "status")
    gate.open()
    busy.get(timeout=300)
    assert status["counters"] == {
        "images": 0, "done": 1, "failed": 1, "refused": 0, "abandoned": 0, "cancelled": 0,
    }  # fmt: skip
    assert (status["workers"], status["running"], status["queue_depth"], status["queue_size"]) == (1, 1, 0, 5)
    assert 0 <= status["p50_ms"] <= status["p95_ms"]
    assert status["version"] == "0"
    assert status["uptime_s"] > 0
    assert (status["endpoint"], status["pid"]) == (daemon.endpoint, daemon.process.pid)


def test_a_caller_that_has_gone_is_not_computed_for(launch, call, gate, folder):
    """A call whose caller disconnects while it waits gives up its place and never runs."""
    daemon = launch(workers=1, queueSize=1, zerorpcHeartBeat=200)
    busy = gevent.spawn(call, daemon, "detect_faces", list(gate.steps))
    gate.begun()
    leaving = gevent.spawn(call, daemon, "detect_faces", [{"touch": str(folder / "computed")}])
    eventually(lambda: call(daemon, "status")["queue_depth"] == 1, "the call to wait")
    leaving.kill()
    eventually(lambda: call(daemon, "status")["queue_depth"] == 0, "its place to be free")
    waiting = gevent.spawn(call, daemon, "detect_faces", [])
    gate.open()
    busy.get(timeout=300)
    assert waiting.get(timeout=300) == "[]"
    assert not (folder / "computed").exists()
    assert call(daemon, "status")["counters"]["abandoned"] == 1


def test_each_call_is_one_log_line(launch, call):
    """Counts and times of the service and the queue stand in one line; no names, no paths."""
    daemon = launch()
    call(daemon, "detect_faces", [{"note": "/home/ann.jpg"}])
    call(daemon, "add_face", "Ann", b"x")
    with pytest.raises(zerorpc.RemoteError):
        call(daemon, "forget", "Zoe")
    log = daemon.log()
    assert re.search(r" detect_faces images=1 queue_ms=\d+ detect_ms=1.5 total_ms=\d+\n", log)
    assert re.search(r" add_face queue_ms=\d+ total_ms=\d+\n", log)
    assert re.search(r" forget error=UnknownPerson queue_ms=\d+ total_ms=\d+\n", log)
    for private in ("Ann", "ann.jpg", "Zoe"):
        assert private not in log


def test_starts_without_a_model(launch, call):
    """Not yet trained is no fault: it says so in the log, to systemd and in status()."""
    daemon = launch(ready=False, comment="untrained")
    (*_, ready) = daemon.until_notified("READY=1")
    assert f"STATUS=ready on {daemon.endpoint}: no model trained yet" in ready
    assert "WARNING face_det.daemon.daemon no model is trained yet" in daemon.log()
    assert call(daemon, "status")["model"] is None
