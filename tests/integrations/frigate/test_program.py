"""`face-det frigate` between a real daemon, real photos, a real broker, and a stand-in for Frigate over HTTP.

tests/support/frigate_api.py is that stand-in: it was built from Frigate's API definition.
"""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time

import pytest
from daemon_fixtures import lasting_daemon
from frigate_api import FrigateApi, FrigateMessages
from mosquitto import until
from PIL import Image

CLI = (sys.executable, "-m", "face_det.cli.main")
LEFT, RIGHT = (100, 100, 600, 700), (680, 100, 1180, 700)
"""Where the two people of a frame are, in pixels."""


@pytest.fixture(scope="module")
def daemon(small_photos):
    """A daemon that remembers and knows Obama."""
    with lasting_daemon((*CLI, "serve", "--config"), sightings={}) as daemon:
        client = daemon.client()
        client.add_face("Obama", small_photos["obama"].read_bytes())
        client.close()
        yield daemon


@pytest.fixture
def frame(small_photos):
    """frame("obama3", None): a frame of 1280 x 720 pixels with a photo on its left and one on its right."""

    def draw(left=None, right=None):
        shown = Image.new("RGB", (1280, 720), (90, 110, 90))
        for name, box in ((left, LEFT), (right, RIGHT)):
            if name is not None:
                photo = Image.open(small_photos[name]).convert("RGB")
                photo.thumbnail((box[2] - box[0], box[3] - box[1]))
                shown.paste(photo, box[:2])
        file = io.BytesIO()
        shown.save(file, "JPEG", quality=95)
        return file.getvalue()

    return draw


@pytest.fixture
def api():
    """Frigate's API."""
    server = FrigateApi()
    yield server
    server.close()


@pytest.fixture
def messages(api, mosquitto):
    """What Frigate tells over MQTT."""
    messages = FrigateMessages(api, mosquitto)
    yield messages
    messages.close()


class Programs:
    """Starts `face-det frigate`, each time after the one before was stopped; `id` is new in each test."""

    def __init__(self, daemon, api, broker, folder):
        self._folder, self._log = folder, folder / "log"
        self.id = folder.name[-30:]
        self.about = {
            "zerorpcPipe": daemon.endpoint,
            "sightings": {},
            "mqtt": {"port": broker.port, "id": self.id},
            "frigate": {"url": api.url, "every": 0.2},
        }
        self.process = None

    def start(self, **changed):
        """Start it, and wait until it has asked for what it missed."""
        self.about["frigate"].update(changed)
        (self._folder / "config.json").write_text(json.dumps({"faceDetServer": self.about}))
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*CLI, "frigate", "--config", self._folder / "config.json"], stderr=log
            )

    def log(self):
        return self._log.read_text() if self._log.exists() else ""

    def stop(self):
        """Stop it as systemd does; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(300)

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def program(daemon, api, mosquitto, tmp_path):
    """The program, not yet started."""
    programs = Programs(daemon, api, mosquitto, tmp_path)
    yield programs
    programs.kill()


@pytest.fixture
def seen(daemon):
    """seen(id): the answers that the daemon remembers of an event, newest first."""
    client = daemon.client()

    def ask(event_id):
        items = client.sightings({"limit": 500})["items"]
        return [one for one in items if str(one["frame"]).startswith(f"frigate:{event_id}:")]

    yield ask
    client.close()


def event_id(number):
    """An id as Frigate makes them."""
    return f"{time.time():.6f}-abc{number:03d}"


def test_the_better_picture_names_the_person_and_the_name_is_set_once(
    program, api, messages, frame, seen, daemon
):
    """A back first, the face in a later snapshot; our events know the name, and SIGTERM ends it with 0."""
    one, begin = event_id(1), time.time()
    program.start()
    until(lambda: api.count("events"))
    api.pictures["front", "latest.jpg"] = frame("nobody")
    api.pictures[one, "snapshot.jpg"] = frame("nobody")
    messages.tell("new", one, start=begin, box=LEFT, snapshot=(begin, LEFT))
    until(lambda: api.count("front/latest.jpg") > 1)
    assert api.labels == []
    api.pictures[one, "snapshot.jpg"] = frame("obama3")
    api.pictures["front", "latest.jpg"] = frame("obama3")
    messages.tell("update", one, box=LEFT, snapshot=(begin + 1, LEFT))
    until(lambda: api.labels)
    asked = api.count("front/latest.jpg")
    until(lambda: api.count("front/latest.jpg") > asked + 2)
    messages.tell("end", one, box=LEFT, snapshot=(begin + 1, LEFT), end_time=begin + 5)
    until(lambda: f"event {one} of front" in program.log() and "pictures, Obama" in program.log())
    ((labelled, name, score),) = api.labels
    assert (labelled, name) == (one, "Obama")
    assert 0.5 < score <= 1
    until(lambda: seen(one), "the sighting")
    assert {(item["face"], item["camera"]) for item in seen(one)} == {("Obama", "front")}
    assert program.stop() == 0
