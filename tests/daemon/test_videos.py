"""Who is in a video, over zerorpc: each person once, whatever the file, and never in the way of pictures."""

from __future__ import annotations

import signal
import sys

import cv2
import gevent
import numpy as np
import pytest
import zerorpc
from daemon_fixtures import lasting_daemon
from running import eventually

from face_det import Client

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
SIZE = (320, 240)
FPS = 10


def wall(*shown):
    """A frame: photos at places on a grey wall."""
    frame = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    for photo, place in shown:
        height, width = photo.shape[:2]
        frame[:height, place : place + width] = photo
    return frame


def small(photo, height_px=SIZE[1]):
    """A photo of this height."""
    picture = cv2.imread(str(photo))
    return cv2.resize(picture, None, fx=height_px / picture.shape[0], fy=height_px / picture.shape[0])


def film(path, frames):
    """Write frames as a video."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, SIZE)
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope="module")
def clips(photos, tmp_path_factory):
    """A folder with videos: Obama walks by, then nobody, then a stranger; and a long one of the wall."""
    folder = tmp_path_factory.mktemp("clips")
    one, other = small(photos["obama3"]), small(photos["biden"])
    walk = [wall((one, place)) for place in np.linspace(0, SIZE[0] - one.shape[1], 15).astype(int)]
    empty = [wall()] * 30
    stand = [wall((other, 40 + index % 3)) for index in range(25)]
    film(folder / "ring.mp4", walk + empty + stand)
    film(folder / "wall.mp4", [wall()] * 3000)
    return folder


@pytest.fixture(scope="module")
def daemon(photos, clips):
    """A daemon that remembers, knows Obama, and may read the videos."""
    with lasting_daemon(SERVE, sightings={}, imageRoots=[str(clips)]) as found:
        client = found.client()
        client.add_face("Obama", photos["obama"].read_bytes())
        client.close()
        yield found


def test_everybody_is_listed_once(daemon, call, clips):
    """By name, or by the number that sightings have; times count from the beginning."""
    path, noon = str(clips / "ring.mp4"), 1_700_000_000.0
    answer = call(daemon, "recognize_video", path, {"eventName": "ring", "camera": "door", "time": noon})
    assert (answer["videoFile"], answer["eventName"], answer["partial"]) == (path, "ring", None)
    assert (answer["frames"], answer["durationS"]) == (70, 7.0)
    known, stranger = answer["people"]
    assert (known["label"], known["name"], known["unknown"]) == ("Obama", "Obama", None)
    assert (stranger["label"], stranger["name"], stranger["unknown"]) == ("unknown-1", None, "unknown-1")
    assert answer["recognisedPersons"] == ["Obama"]
    (person,) = answer["unknownPersons"]
    assert person == {
        "name": "unknown-1",
        "images": [stranger["best"]["thumbnail"]],
        "imagePaths": [],
        "frames": stranger["frames"],
    }
    assert 0 <= known["first_s"] < 0.5 < known["last_s"] < 1.6
    assert 4.4 < stranger["first_s"] < stranger["last_s"] < 7
    assert 0.9 <= known["proba"] <= 1
    assert known["best"]["thumbnail"][:3] == b"\xff\xd8\xff"
    items = call(daemon, "sightings", {"camera": "door"})["items"]
    assert 2 <= len(items) <= 8
    assert {item["unknown"] for item in items if item["face"] != "Obama"} == {"unknown-1"}
    assert {item["unknown"] for item in items if item["face"] == "Obama"} == {None}
    assert items[-1]["frame"] == f"{path}#t={items[-1]['time'] - noon:.2f}"
    # The same again, as bytes: the same unknown person, and nothing is remembered.
    content = (clips / "ring.mp4").read_bytes()
    with Client(daemon.endpoint, timeout_s=300) as client:
        again = client.recognize_video(content, {"remember": False})
    assert (again["videoFile"], again["recognisedPersons"]) == ("bytes", ["Obama"])
    assert [one["unknown"] for one in again["people"]] == [None, None]
    (person,) = again["unknownPersons"]
    assert person["name"] == "stranger-1", "unknown-1 may be somebody else"


def test_ringfaces_settings_end_it_early(daemon, call, clips):
    """With a sentence that says so."""
    path, quiet = str(clips / "ring.mp4"), {"remember": False}
    few = call(daemon, "recognize_video", path, {**quiet, "maxFrames": 9, "eachFrame": 3, "minFrames": 4})
    assert (few["frames"], few["partial"]) == (5, "only the first 9 frames are looked at")
    cut = call(daemon, "recognize_video", path, {**quiet, "stopAfterEmptyFrames": 5})
    assert cut["partial"] == "nobody was seen in 5 frames in a row; the rest is not looked at"
    assert (cut["recognisedPersons"], cut["unknownPersons"]) == (["Obama"], [])


@pytest.mark.slow
def test_a_long_video_holds_up_nobody(daemon, call, clips, photos):
    """Pictures are answered meanwhile; when its time is over, it answers with what it has seen."""
    for limit_s in (5, 20, 80, 320):
        asked = {"timeLimit": limit_s, "remember": False}
        running = gevent.spawn(call, daemon, "recognize_video", str(clips / "wall.mp4"), asked, timeout=600)
        eventually(lambda: call(daemon, "status")["videos"]["running"] == 1)
        (face,) = call(daemon, "recognize", photos["obama3"].read_bytes())
        assert face["face"] == "Obama"
        meanwhile = not running.ready()
        running.get(timeout=600)
        if meanwhile:
            break
        # On a machine that takes longer than this for a picture, it takes longer for the video as well.
    assert meanwhile
    asked = {"timeLimit": 0.5, "remember": False}
    partial = call(daemon, "recognize_video", str(clips / "wall.mp4"), asked)["partial"]
    assert partial.startswith("only the first ")
    assert partial.endswith(" s were looked at: the call took 0.5 s (timeLimit)")


def test_what_is_no_video_says_so(daemon, call, clips, photos):
    """In words about videos; other places are refused as those of pictures are."""
    (clips / "text.mp4").write_text("ffconcat version 1.0\nfile ring.mp4\n")
    for path, message in (
        (str(clips / "none.mp4"), "file not found"),
        (str(clips), "must be a video file, got a folder"),
        ("/etc/passwd", "must lie in an allowed folder"),
        (str(clips / "text.mp4"), "must hold a video"),
        ("rtsp://127.0.0.1/x", "got a URL"),
        (b"no video", "bytes: must hold a video"),
    ):
        with pytest.raises(zerorpc.RemoteError) as caught:
            call(daemon, "recognize_video", path)
        assert caught.value.name == "VideoError", path
        assert message in caught.value.msg
        assert "picture" not in caught.value.msg.replace("a folder of pictures", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"camera": 7}, "options.camera: must be text"),
        ({"eachFrame": 0}, "options.eachFrame: must be a whole number from 1, got 0"),
        ({"timeLimit": 1e9}, "options.timeLimit: must be a number of seconds up to 21600, got 1000000000.0"),
        ({"searchFromPx": "40"}, "options.searchFromPx: must be a number of pixels"),
        ({"MAX_FRAMES": 3}, "options.MAX_FRAMES: unknown"),
    ],
)
def test_wrong_options_say_where(daemon, call, options, message):
    """Before the file is looked at."""
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(daemon, "recognize_video", "/none.mp4", options)
    assert caught.value.name == "BadRequest"
    assert message in caught.value.msg


def test_stopping_answers_with_what_was_seen(launch, clips):
    """A daemon that is told to stop does not wait for the end of the video."""
    daemon = launch(command=SERVE)
    client = daemon.client()
    running = gevent.spawn(client.recognize_video, str(clips / "wall.mp4"))
    eventually(lambda: daemon.client().status()["videos"]["running"] == 1)
    daemon.signal(signal.SIGTERM)
    assert running.get(timeout=300)["partial"].endswith(" s were looked at: the daemon is stopping")
    client.close()
    assert daemon.ended() == 0
