"""The memory of a real daemon, over zerorpc: options, events that are waited for, consumers, forgetting."""

from __future__ import annotations

import json
import math
import sys
import time

import gevent
import pytest
import zerorpc
from daemon_fixtures import lasting_daemon
from running import eventually
from seen import files_with

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
SETTINGS = {"faceDetModel": "hog", "focusMeasureThreshold": 20, "numFaceImgUpsample": 0}
WHOLE = {"xmin": 0.0, "ymin": 0.0, "xmax": 9000.0, "ymax": 9000.0}


@pytest.fixture(scope="module")
def daemon(photos):
    """A daemon that remembers, and knows Obama."""
    with lasting_daemon(SERVE, sightings={}, **SETTINGS) as found:
        client = found.client()
        client.add_face("Obama", str(photos["obama"]))
        client.close()
        yield found


def last(call, daemon):
    """The number of the newest event."""
    return call(daemon, "events", 0)["last"]


def seen_after(call, daemon, number):
    """Who was seen after an event: the names."""
    events = call(daemon, "events", number)["events"]
    return [event["name"] for event in events if event["type"] == "seen"]


def test_an_answer_is_an_event_of_its_camera(daemon, call, photos):
    """With the time that the caller gave, a thumbnail, and one event however often it is asked."""
    before, taken = last(call, daemon), time.time() - 3600
    for later in range(3):
        options = {"camera": "porch", "frame": "7.jpg", "time": taken + later}
        (face,) = call(daemon, "recognize", str(photos["obama3"]), options)
        assert face["face"] == "Obama"
    eventually(lambda: seen_after(call, daemon, before))
    eventually(lambda: len(call(daemon, "sightings", {"camera": "porch"})["items"]) == 3)
    assert seen_after(call, daemon, before) == ["Obama"]
    item = call(daemon, "sightings", {"camera": "porch"})["items"][-1]
    assert (item["face"], item["frame"], item["time"]) == ("Obama", "7.jpg", taken)
    assert call(daemon, "thumbnail", item["id"])[:3] == b"\xff\xd8\xff"
    visits = {one["visit"] for one in call(daemon, "sightings", {"camera": "porch"})["items"]}
    assert visits == {call(daemon, "sighting", item["id"])["visit"]}
    assert call(daemon, "sighting", item["id"])["imageSize"] is None, "no picture is kept"


def test_images_of_detect_faces_name_their_camera(daemon, call, photos):
    """In the image's own keys, which are answered as they came; others than text and numbers are not used."""
    before = last(call, daemon)
    image = {"image": str(photos["obama3"]), "labels": [{"name": "person", "box": WHOLE}]}
    images = [{**image, "camera": "yard"}, {**image, "camera": 7, "time": "noon", "frame": 7}]
    answers = json.loads(call(daemon, "detect_faces", images))
    assert [answer.get("camera") for answer in answers] == ["yard", 7]
    assert all(answer["labels"][0]["face"] == "Obama" for answer in answers)
    eventually(lambda: "Obama" in seen_after(call, daemon, before))


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"camera": 7}, "options.camera: must be text"),
        ({"time": math.nan}, "options.time: must be seconds since 1970"),
        ({"time": -1}, "options.time: must be seconds since 1970"),
        ({"time": "noon"}, "options.time: must be seconds since 1970"),
        ({"zone": "UTC"}, "options.zone: unknown"),
    ],
)
def test_malformed_options_are_refused(daemon, call, photos, options, place):
    """By name and place."""
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(daemon, "recognize", str(photos["obama3"]), options)
    assert caught.value.name == "BadRequest"
    assert caught.value.msg.startswith(place)


@pytest.mark.parametrize("arguments", [(-1,), ("0",), (True,), (0, -1), (0, math.nan), (0, "1"), (2**63,)])
def test_malformed_numbers_of_events_are_refused(daemon, call, arguments):
    """At once, without waiting."""
    with pytest.raises(zerorpc.RemoteError) as caught:
        call(daemon, "events", *arguments)
    assert caught.value.name == "BadRequest"
    place = "wait_s: must be a number" if len(arguments) > 1 else "after: must be a whole number from 0"
    assert caught.value.msg.startswith(place)


def test_waiting_for_events_holds_no_thread(daemon, call, photos):
    """Many more wait than there are threads; all are woken by one answer, and others are served meanwhile."""
    before = last(call, daemon)
    waiting = [gevent.spawn(call, daemon, "events", before, 50, timeout=300) for _ in range(20)]
    gevent.sleep(0.5)
    assert call(daemon, "status")["sightings"]["dropped"] == 0
    call(daemon, "recognize", str(photos["obama3"]), {"camera": "attic"})
    for one in waiting:
        assert one.get(timeout=300)["events"][0]["seq"] == before + 1


def test_waiting_ends_without_an_event(daemon, call):
    """With nothing, and the same number."""
    before = last(call, daemon)
    answer = call(daemon, "events", before, 0.2)
    assert (answer["events"], answer["last"]) == ([], before)


def test_two_consumers_keep_their_places(daemon, call):
    """Each goes on where it was."""
    assert call(daemon, "cursor", "alarm") == 0
    assert call(daemon, "cursor", "alarm", 5) == 5
    assert call(daemon, "cursor", "light", 2) == 2
    assert [call(daemon, "cursor", name) for name in ("alarm", "light")] == [5, 2]
    newest = call(daemon, "events", 0)["last"]
    assert call(daemon, "cursor", "mqtt", "newest") == newest > 0
    assert call(daemon, "cursor", "light", "newest") == 2
    for consumer, seq in (("", 1), ("x" * 201, 1), (7, 1), ("alarm", -1), ("alarm", "1")):
        with pytest.raises(zerorpc.RemoteError) as caught:
            call(daemon, "cursor", consumer, seq)
        assert caught.value.name == "BadRequest"


def test_a_cursor_is_one_programs_while_its_lease_lasts(daemon, call):
    """Nobody else may use it until the lease is ended; who asks for none is not hindered."""
    mine, other = {"owner": "nuc 1"}, {"owner": "pi 2"}
    assert call(daemon, "cursor", "door", 3, mine) == 3
    for seq in (None, "newest", 9):
        with pytest.raises(zerorpc.RemoteError, match="another program on nuc uses it") as caught:
            call(daemon, "cursor", "door", seq, other)
        assert caught.value.name == "CursorTaken"
    assert call(daemon, "cursor", "door") == 3
    assert call(daemon, "cursor", "door", 4, {**mine, "counts": {"failed": 2}}) == 4
    about = call(daemon, "status")["sightings"]["consumers"]["door"]
    assert (about["owner"], about["counts"]) == ("nuc", {"failed": 2})
    assert call(daemon, "cursor", "door", None, {**mine, "leaseS": 0}) == 4
    assert call(daemon, "cursor", "door", 5, other) == 5
    assert call(daemon, "cursor", "door", 6) == 6
    for options in ({"owner": ""}, {"leaseS": 9}, {"owner": "a", "leaseS": 601}, {"owner": "a", "x": 1}):
        with pytest.raises(zerorpc.RemoteError) as caught:
            call(daemon, "cursor", "door", None, options)
        assert caught.value.name == "BadRequest"


def test_a_stranger_is_named_and_forgotten(daemon, call, photos):
    """After forget, neither the name nor a thumbnail is in any file of the folder."""
    for later in range(2):
        options = {"camera": "gate", "time": time.time() - 50 + later}
        call(daemon, "recognize", str(photos["biden"]), options)
    (stranger,) = eventually(lambda: call(daemon, "unknowns"))
    call(daemon, "name_unknown", stranger["id"], "Jöe Qwertz")
    (face,) = call(daemon, "recognize", str(photos["biden"]), {"camera": "gate"})
    assert face["face"] == "Jöe Qwertz"
    thumbnail = call(daemon, "thumbnail", stranger["best"])
    # Of its pixels: all JPEGs begin alike.
    part = thumbnail[len(thumbnail) // 2 :][:60]
    state = daemon.folder / "state"
    assert files_with(state, part)
    assert files_with(state, "Jöe Qwertz".encode())
    assert call(daemon, "forget", "Jöe Qwertz")["sightings"] >= 2
    assert files_with(state, part) == []
    assert files_with(state, "Jöe Qwertz".encode()) == []
    assert files_with(state, json.dumps("Jöe Qwertz").encode()) == []
    (face,) = call(daemon, "recognize", str(photos["biden"]), {"remember": False})
    assert face["face"] in (None, "Unknown")


def test_who_waits_learns_that_nothing_is_remembered_any_more(daemon, call):
    """Not when the time is over, but at once; and after another reload events go on."""
    before = last(call, daemon)
    waiting = gevent.spawn(call, daemon, "events", before, 300, timeout=300)
    gevent.sleep(0.2)
    daemon.configure(**SETTINGS)
    call(daemon, "reload")
    with pytest.raises(zerorpc.RemoteError) as caught:
        waiting.get(timeout=90)
    assert caught.value.name == "SightingsOff"
    daemon.configure(sightings={}, **SETTINGS)
    call(daemon, "reload")
    assert last(call, daemon) >= before
