"""`face-det mqtt` as a process of its own, between a real daemon, real photos and a real broker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from daemon_fixtures import lasting_daemon
from mosquitto import Listener, until

CLI = (sys.executable, "-m", "face_det.cli.main")
EVENTS = "face_det/home/front/event"


@pytest.fixture(scope="module")
def daemon(small_photos):
    """A daemon that remembers and knows Obama."""
    with lasting_daemon((*CLI, "serve", "--config"), sightings={}) as daemon:
        client = daemon.client()
        client.add_face("Obama", small_photos["obama"].read_bytes())
        client.close()
        yield daemon


def start(daemon, broker, folder):
    """The process."""
    about = {
        "zerorpcPipe": daemon.endpoint,
        "sightings": {},
        "mqtt": {"port": broker.port},
        "cameras": {"front": {"url": "http://127.0.0.1:9/none.jpg"}},
    }
    (folder / "config.json").write_text(json.dumps({"faceDetServer": about}))
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([*CLI, "mqtt", "--config", folder / "config.json"], stderr=log)


def test_somebody_at_the_door_is_told_once(daemon, mosquitto, small_photos, tmp_path):
    """With the name and the face, and not again after kill -9; a program that ends says so."""

    listener = Listener(mosquitto)
    told = listener.of
    client = daemon.client()
    program = start(daemon, mosquitto, tmp_path)
    try:
        until(lambda: told("face_det/home/status") == [b"online"])
        until(lambda: client.cursor("mqtt-home"))
        client.recognize(str(small_photos["obama3"]), {"camera": "front"})
        until(lambda: told(EVENTS) and told("face_det/home/front/image"))
        (event,) = map(json.loads, told(EVENTS))
        assert (event["event_type"], event["person"]) == ("known", "Obama")
        assert told("face_det/home/front/image")[-1][:3] == b"\xff\xd8\xff"
        assert json.loads(told("face_det/home/front/state")[-1])["people"] == "Obama"
        program.kill()
        program.wait()
        until(lambda: told("face_det/home/status")[-1] == b"offline")
        program = start(daemon, mosquitto, tmp_path)
        client.recognize(str(small_photos["biden"]), {"camera": "front"})
        until(lambda: len(told(EVENTS)) > 1)
        assert [json.loads(one)["event_type"] for one in told(EVENTS)] == ["known", "stranger"]
        program.send_signal(signal.SIGTERM)
        assert program.wait(300) == 0
        assert told("face_det/home/status")[-1] == b"offline"
    finally:
        client.close()
        listener.close()
        program.kill()
        program.wait()


@pytest.mark.slow
def test_a_second_bridge_leaves_the_broker_alone_until_the_first_has_ended(daemon, mosquitto, tmp_path):
    """Both would be one client to the broker, which would let in now one and now the other."""
    listener, folders = Listener(mosquitto), [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()

    def log(number):
        return (folders[number] / "log").read_text()

    programs = [start(daemon, mosquitto, folders[0])]
    try:
        until(lambda: listener.of("face_det/home/status") == [b"online"])
        programs.append(start(daemon, mosquitto, folders[1]))
        until(lambda: "this one waits until that one ends" in log(1))
        assert listener.of("face_det/home/status") == [b"online"]
        programs[0].send_signal(signal.SIGTERM)
        assert programs[0].wait(300) == 0
        until(lambda: listener.of("face_det/home/status") == [b"online", b"offline", b"online"])
        assert "this program uses it now" in log(1)
    finally:
        listener.close()
        for program in programs:
            program.kill()
            program.wait()
