"""Engine processes die, by images and by signals; the daemon and the calls live on."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import gevent
import pytest
import zerorpc
from doomed_engine import CRASH, CRASH_ONCE, FACE, GROW, RAISE, WAIT, picture
from running import eventually

DOOMED = (sys.executable, Path(__file__).parents[1] / "support/doomed_engine.py")
BOX = {"xmin": 0, "ymin": 0, "xmax": 64, "ymax": 64}
SETTINGS = {"isolation": "process", "workers": 1, "embedder": "dlib_resnet", "focusMeasureThreshold": 0}


def entries(*paths, box=BOX):
    return [
        {"image": str(path), "labels": [{"id": index, "name": "person", "box": box}]}
        for index, path in enumerate(paths)
    ]


def reasons(reply):
    """The reason given for each image's person."""
    return [image["labels"][0]["faceReason"] for image in json.loads(reply)]


def processes(call, daemon):
    return call(daemon, "status")["isolation"]


def living(pid):
    """Tell whether a process is alive; a zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def doomed(launch):
    """A daemon whose images can kill an engine process."""
    return launch(command=DOOMED, **SETTINGS)


def test_a_picture_that_kills_is_a_bad_image(doomed, call, folder):
    """It is tried twice, answered and logged; the rest of the batch and the next call are answered."""
    faces = [picture(folder, FACE, number) for number in range(3)]
    killer = picture(folder, CRASH)
    reply = call(doomed, "detect_faces", entries(faces[0], killer, faces[1], faces[2]))
    assert reasons(reply) == ["unrecognised", "bad_image", "unrecognised", "unrecognised"]
    assert [image["labels"][0]["id"] for image in json.loads(reply)] == [0, 1, 2, 3]
    assert processes(call, doomed)["crashed"] == 2
    assert "a view of 64 x 64 pixels has crashed two processes: bad_image" in doomed.log()
    assert doomed.log().count("SIGSEGV") == 2
    assert reasons(call(doomed, "detect_faces", entries(faces[0]))) == ["unrecognised"]
    with pytest.raises(zerorpc.RemoteError, match="BadImage: image: crashed the process"):
        call(doomed, "recognize", str(killer))
    with pytest.raises(zerorpc.RemoteError, match="BadImage: image: crashed the process"):
        call(doomed, "add_face", "Ann", str(killer))


def test_a_box_is_where_it_is_in_the_picture(doomed, call, folder):
    """Only the part in the person's box is sent; the answer is in pixels of the full image."""
    box = {"xmin": 0, "ymin": 0, "xmax": 60, "ymax": 60}
    (image,) = json.loads(call(doomed, "detect_faces", entries(picture(folder, FACE, 7), box=box)))
    assert image["labels"][0]["faceBox"] == {"ymin": 0, "xmin": 7, "ymax": 40, "xmax": 40}
    (face,) = call(doomed, "recognize", picture(folder, FACE, 5).read_bytes())
    assert face["faceBox"]["xmin"] == 5


def test_a_process_that_is_killed_loses_no_call(doomed, call, folder):
    """kill -9 in the middle of a view: another process takes the view over, and the answer comes once."""
    told = folder / "go"
    waiting = gevent.spawn(call, doomed, "detect_faces", entries(picture(folder, WAIT, said=str(told))))
    (pid,) = eventually(lambda: processes(call, doomed)["pids"])
    eventually(Path(f"{told}.{pid}").exists)
    os.kill(pid, signal.SIGKILL)
    (other,) = eventually(lambda: [path for path in folder.glob("go.*") if path.name != f"go.{pid}"])
    told.touch()
    assert reasons(waiting.get(timeout=300)) == ["unrecognised"]
    status = processes(call, doomed)
    assert status == {"pids": [int(other.suffix[1:])], "crashed": 1, "recycled": 0}


@pytest.mark.slow
def test_a_view_that_is_killed_twice_is_not_taken_for_the_reason(doomed, call, folder):
    """kill -9 is somebody's doing: only after five kills is the image to blame."""
    told = folder / "go"
    for kills, reason in ((2, "unrecognised"), (5, "bad_image")):
        told.unlink(missing_ok=True)
        waiting = gevent.spawn(call, doomed, "detect_faces", entries(picture(folder, WAIT, said=str(told))))
        for _ in range(kills):
            path = eventually(lambda: next(folder.glob("go.*"), None))
            path.unlink()
            os.kill(int(path.suffix[1:]), signal.SIGKILL)
        told.touch()
        assert reasons(waiting.get(timeout=300)) == [reason]
        for path in folder.glob("go.*"):
            path.unlink()


def test_an_idle_process_that_is_killed_is_replaced_and_no_zombie(doomed, call, folder):
    """It is replaced without a call, and no image is blamed."""
    (pid,) = processes(call, doomed)["pids"]
    os.kill(pid, signal.SIGSEGV)
    (other,) = eventually(lambda: set(processes(call, doomed)["pids"]) - {pid})
    assert not living(pid)
    assert not Path(f"/proc/{pid}").exists()
    killer = picture(folder, CRASH_ONCE, said=str(folder / "once"))
    assert reasons(call(doomed, "detect_faces", entries(killer))) == ["unrecognised"]
    assert processes(call, doomed)["crashed"] == 2
    assert other not in processes(call, doomed)["pids"]


def test_a_process_that_has_grown_is_replaced(launch, call, folder):
    """Beyond workerMemory it is replaced between two images of a call, and no answer is missing."""
    daemon = launch(command=DOOMED, **SETTINGS, workerMemory=150)
    pictures = [picture(folder, GROW, number) for number in range(6)]
    assert reasons(call(daemon, "detect_faces", entries(*pictures))) == ["unrecognised"] * 6
    status = processes(call, daemon)
    assert status["recycled"] >= 2
    assert status["crashed"] == 0


def test_an_error_of_the_networks_is_told_and_kills_nothing(doomed, call, folder):
    """As without isolation, the call is an InternalError, and the process stays."""
    before = processes(call, doomed)
    with pytest.raises(zerorpc.RemoteError, match="InternalError: RuntimeError inside the daemon"):
        call(doomed, "detect_faces", entries(picture(folder, RAISE)))
    assert "no network likes this picture" in doomed.log()
    assert processes(call, doomed) == before


def test_enrolment_goes_through_the_processes(doomed, call, folder):
    """add_face, detect_faces and forget use the networks in the processes."""
    assert call(doomed, "add_face", "Ann", str(picture(folder, FACE, 1)))["images"] == 1
    assert call(doomed, "add_face", "Bob", str(picture(folder, FACE, 200)))["images"] == 1
    (image,) = json.loads(call(doomed, "detect_faces", entries(picture(folder, FACE, 1))))
    assert image["labels"][0]["face"] == "Ann" or image["labels"][0]["faceReason"] == "unrecognised"
    assert call(doomed, "forget", "Ann")["encodings"] == 1
    assert call(doomed, "status")["runtime"] == "doomed"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_daemon(doomed, call, folder, number):
    """They end however the daemon ends, also in the middle of a view; signals sent to them do not end a
    call."""
    (pid,) = processes(call, doomed)["pids"]
    told = folder / "go"
    waiting = gevent.spawn(call, doomed, "detect_faces", entries(picture(folder, WAIT, said=str(told))))
    eventually(Path(f"{told}.{pid}").exists)
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, name)
    doomed.signal(number)
    if number == signal.SIGTERM:
        told.touch()
        assert reasons(waiting.get(timeout=300)) == ["unrecognised"]
        assert doomed.ended() == 0
    else:
        waiting.kill()
        doomed.ended()
    eventually(lambda: not living(pid), "the process's end")


def test_networks_that_are_missing_are_told_at_the_start(launch):
    """As without isolation, the process's error is the daemon's."""
    daemon = launch(command=DOOMED, ready=False, environ={"DOOMED": "r.onnx: must be there"}, **SETTINGS)
    assert daemon.ended() == 1
    assert daemon.log().splitlines()[-1].endswith("WeightsError: r.onnx: must be there")


def test_networks_that_crash_are_told(launch):
    """The daemon does not try for ever: it reports this and exits."""
    daemon = launch(command=DOOMED, ready=False, environ={"DOOMED": "crash"}, **SETTINGS)
    assert daemon.ended() == 1
    assert "FaceDetError: isolation: loading the networks crashes" in daemon.log().splitlines()[-1]
