"""Faces that are followed, over zerorpc: one answer while somebody is seen, in order, and few sightings."""

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

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
NOON = 1_700_000_000.0


@pytest.fixture(scope="module")
def daemon(photos):
    """A daemon that remembers, and knows Obama."""
    with lasting_daemon(SERVE, sightings={}, workers=2) as found:
        client = found.client()
        client.add_face("Obama", str(photos["obama"]))
        client.close()
        yield found


def walk(photo, frames, size=(320, 240), face_px=240):
    """JPEGs of somebody who walks by: a photo, moved over a grey wall."""
    shown = cv2.imread(str(photo))
    scale = face_px / max(shown.shape)
    shown = cv2.resize(shown, None, fx=scale, fy=scale)
    height, width = shown.shape[:2]
    for place in np.linspace(0, size[0] - width, frames).astype(int):
        wall = np.full((size[1], size[0], 3), 120, np.uint8)
        wall[:height, place : place + width] = shown
        yield cv2.imencode(".jpg", wall)[1].tobytes()


def test_somebody_who_walks_by_is_one_track_and_few_sightings(daemon, call, photos):
    """Known from the first picture on, at ten pictures a second; one event, and no sighting for each."""
    frames = list(walk(photos["obama3"], 24))
    answers = [
        call(daemon, "follow", frame, {"camera": "porch", "time": NOON + index / 10})
        for index, frame in enumerate(frames)
    ]
    assert {face["track"] for faces in answers for face in faces} == {1}
    assert {face["face"] for faces in answers for face in faces} == {"Obama"}
    assert 20 <= answers[-1][0]["trackFrames"] <= 24, "as of the last search"
    assert any("predicted" in face for faces in answers for face in faces)
    eventually(lambda: call(daemon, "sightings", {"camera": "porch"})["items"])
    items = call(daemon, "sightings", {"camera": "porch"})["items"]
    assert 1 <= len(items) <= 4
    assert {item["face"] for item in items} == {"Obama"}
    assert call(daemon, "thumbnail", items[0]["id"])[:3] == b"\xff\xd8\xff"
    events = [one for one in call(daemon, "events", 0)["events"] if one["camera"] == "porch"]
    assert [one["name"] for one in events if one["type"] == "seen"] == ["Obama"]
    (corroborated,) = [one for one in events if one.get("frames", 0) >= 2]
    assert (corroborated["name"], corroborated["outcome"]) == ("Obama", "known")
    assert corroborated["quality"] >= 0.5


def test_a_stranger_is_one_unknown(daemon, call, photos):
    """With a number; another camera's tracks are its own, and what is not to be remembered is not."""
    for index, frame in enumerate(walk(photos["biden"], 24)):
        moment = {"time": NOON + index / 10}
        faces = call(daemon, "follow", frame, {"camera": "yard", **moment})
        other = call(daemon, "follow", frame, {"stream": "tab", "remember": False, **moment})
        assert [face["track"] for face in faces] == [face["track"] for face in other] == [1]
    assert faces[0]["face"] in (None, "Unknown")
    eventually(lambda: call(daemon, "sightings", {"camera": "yard"})["items"])
    items = call(daemon, "sightings", {"camera": "yard"})["items"]
    assert len(items) <= 4
    assert {item["unknown"] for item in items} == {"unknown-1"}
    seen = [one for one in call(daemon, "events", 0)["events"] if one["type"] == "seen"]
    assert [one["unknown"] for one in seen if one["camera"] == "yard"] == ["unknown-1"]
    assert not [one for one in seen if one["camera"] is None]


def test_pictures_of_a_camera_are_answered_in_order(daemon, photos):
    """Also if all are sent at once, to a daemon with two workers; those beyond a few are refused.

    An earlier picture than the one before would begin another track.
    """
    client = daemon.client()
    frames = list(walk(photos["obama3"], 14))
    options = [{"camera": "gate", "time": NOON + index} for index in range(len(frames))]
    asked = [gevent.spawn(client.follow, *one) for one in zip(frames, options, strict=True)]
    gevent.joinall(asked, timeout=300)
    answers = [one.value for one in asked if one.successful()]
    client.close()
    assert len(answers) >= 9
    assert [faces[0]["track"] for faces in answers] == [1] * len(answers)
    counted = [faces[0]["trackFrames"] for faces in answers]
    assert counted == sorted(counted)
    refused = {(one.exception.name, one.exception.msg) for one in asked if not one.successful()}
    message = "8 pictures of this camera are waiting; drop some and send the latest"
    assert refused == {("Busy", message)}


def test_streams_end_at_the_latest_with_the_daemon(launch, photos):
    """Whoever was not remembered yet is then, and tracks go on across a reload."""
    daemon = launch(command=SERVE, sightings={})
    client = daemon.client()
    frames = list(walk(photos["biden"], 4))
    tracks = set()
    for index, frame in enumerate(frames):
        (face,) = client.follow(frame, {"camera": "hall", "time": NOON + index / 10})
        tracks.add(face["track"])
        if index == 1:
            daemon.configure(sightings={}, logLevel="debug")
            client.reload()
    assert tracks == {1}
    assert client.sightings({"camera": "hall"})["items"] == []
    client.close()
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
    daemon.start()
    daemon.until_notified("READY=1")
    client = daemon.client()
    (item,) = client.sightings({"camera": "hall"})["items"]
    client.close()
    assert item["unknown"] == "unknown-1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (None, "options: must have a camera, or a stream"),
        ({"camera": ""}, "options: must have a camera, or a stream"),
        ({"camera": "door", "stream": 3}, "options.stream: must be text"),
        ({"camera": "door", "faces": 3}, "options.faces: unknown"),
    ],
)
def test_wrong_options_say_where(daemon, call, options, message):
    """As those of recognize do."""
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(daemon, "follow", b"", options)
    assert caught.value.name == "BadRequest"
    assert message in caught.value.msg
