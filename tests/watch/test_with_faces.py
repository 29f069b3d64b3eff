"""The whole way: a camera, `face-det watch`, the real daemon, its memory and its events."""

from __future__ import annotations

import sys

import pytest
from camera_server import CameraServer, small_pictures
from daemon_fixtures import lasting_daemon
from running import eventually
from watching import Watch

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")


@pytest.fixture(scope="module")
def daemon(photos):
    """A daemon that remembers and knows Obama."""
    with lasting_daemon(SERVE, sightings={"visitGap": 3600}) as daemon:
        client = daemon.client()
        client.add_face("Obama", photos["obama"].read_bytes())
        client.close()
        yield daemon


def camera_events(call, daemon, camera):
    """What became of a camera, in order."""
    found = call(daemon, "events", 0)["events"]
    return [one["type"] for one in found if one["type"].startswith("camera_") and one["camera"] == camera]


@pytest.mark.slow
def test_somebody_walks_by_and_the_camera_is_lost(daemon, photos, tmp_path, call):
    """The person is named once, and the loss of the camera and its return are events of the same log."""
    server = CameraServer(small_pictures(photos["obama2"], size=(400, 400)), fps=10)
    watch = Watch(tmp_path, daemon.endpoint, {"door": {"url": server.address("mjpeg")}})
    try:
        seen = eventually(
            lambda: [one for one in call(daemon, "events", 0)["events"] if one["name"] == "Obama"][1:],
            "Obama to be seen",
        )
        # On a busy machine pictures may come so late that one face becomes two tracks, but never two visits.
        assert {(one["type"], one["camera"]) for one in seen} == {("seen", "door")}
        assert len({one["visit"] for one in seen}) == 1
        eventually(lambda: call(daemon, "status")["cameras"]["door"]["state"] == "fine", "a report")
        server.broken.set()
        eventually(lambda: camera_events(call, daemon, "door") == ["camera_lost"], "the loss")
        found = call(daemon, "events", 0)["events"]
        (lost,) = [one for one in found if (one["type"], one["camera"]) == ("camera_lost", "door")]
        assert lost["reason"] == "must answer 200 with a picture, got 503"
        server.broken.clear()
        eventually(lambda: len(camera_events(call, daemon, "door")) == 2, "its return")
        assert camera_events(call, daemon, "door")[1] == "camera_back"
    finally:
        watch.stop()
        server.stop()


def test_what_is_reported_again_is_no_event(daemon, call):
    """Nor is it after a restart of the daemon."""
    for state in ("starting", "fine", "lost", "lost", "frozen"):
        call(daemon, "report_cameras", {"yard": {"state": state, "reason": None}})
    ours = ["camera_lost", "camera_frozen"]
    assert camera_events(call, daemon, "yard") == ours
    daemon.process.terminate()
    assert daemon.ended() == 0
    daemon.start()
    daemon.until_notified("READY=1")
    call(daemon, "report_cameras", {"yard": {"state": "frozen"}})
    assert camera_events(call, daemon, "yard") == ours
    call(daemon, "report_cameras", {"yard": {"state": "fine"}})
    assert camera_events(call, daemon, "yard")[-1] == "camera_back"


@pytest.mark.parametrize(
    ("report", "fault"),
    [
        (["yard"], "cameras: must be an object of at most 1000 cameras, by name"),
        ({"yard": "lost"}, "cameras['yard'].state: must be one of starting, fine, lost, black, frozen"),
        ({"yard": {"state": "gone"}}, "cameras['yard'].state: must be one of"),
        ({"": {"state": "lost"}}, "cameras: each must have a name of at most 500 characters"),
        ({"y": {"state": "lost", "reason": "x" * 501}}, "cameras['y']: must have numbers and texts"),
        ({"y": {"state": "lost", "more": {}}}, "cameras['y']: must have numbers and texts"),
    ],
)
def test_reports_that_are_refused(daemon, call, report, fault):
    """With the place of what is wrong."""
    with pytest.raises(Exception, match="BadRequest") as caught:
        call(daemon, "report_cameras", report)
    assert fault in str(caught.value)
