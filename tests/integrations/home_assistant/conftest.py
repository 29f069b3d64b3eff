"""A house in which everything is real: broker, daemon, `face-det mqtt` and Home Assistant."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import home_assistant
import pytest
from daemon_fixtures import lasting_daemon
from home_assistant import HomeAssistant
from mosquitto import Listener, Mosquitto, until

from face_det import Client

# They take minutes: `make test-home-assistant` asks for them, `make test` does not.
collect_ignore_glob = [] if os.environ.get("TEST_HOME_ASSISTANT") else ["test_*.py"]

CLI = (sys.executable, "-m", "face_det.cli.main")
PAGE = Path(__file__).parents[3] / "docs/how-to/home-assistant.md"
EVENTS, EVENT_ENTITY = "face_det/home/front/event", "event.face_det_front_face"


@pytest.fixture(scope="session", autouse=True, params=home_assistant.RELEASES)
def release(request):
    """The release of Home Assistant."""
    if (reason := home_assistant.missing(request.param)) is not None:
        pytest.skip(reason)
    return request.param


@pytest.fixture(scope="session")
def yaml_blocks():
    """The pieces of configuration that the documentation shows."""
    return re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)


class House:
    """Its parts can be stopped and started: "broker", "bridge", "daemon", "hass"."""

    def __init__(self, release, folder, daemon, photos, yaml):
        self.daemon, self.photos = daemon, photos
        self.broker = Mosquitto(folder / "mosquitto")
        self.listener = Listener(self.broker)
        self.hass = HomeAssistant(release, folder / "hass", self.broker.port, yaml)
        self.config = folder / "config.json"
        about = {
            "zerorpcPipe": daemon.endpoint,
            "sightings": {},
            # However slow the machine is, nobody is told too late.
            "mqtt": {"port": self.broker.port, "lateAfter": 3600},
            "cameras": {"front": {"url": "http://127.0.0.1:9/none.jpg"}},
        }
        self.config.write_text(json.dumps({"faceDetServer": about}))
        self.bridge_log = folder / "bridge.log"
        self._probes = 0
        self.bridge = None

    def stop(self, part):
        """Stop a part: the bridge and the daemon by kill -9, so that they cannot tidy up."""
        if part == "broker":
            self.broker.stop()
        elif part == "hass":
            self.hass.stop()
        else:
            process = self.bridge if part == "bridge" else self.daemon.process
            process.send_signal(signal.SIGKILL)
            process.wait()

    def start(self, part):
        if part == "broker":
            self.broker.start()
        elif part == "hass":
            self.hass.start()
        elif part == "daemon":
            self.daemon.start()
            self.daemon.until_notified("READY=1")
        else:
            with self.bridge_log.open("ab") as log:
                self.bridge = subprocess.Popen([*CLI, "mqtt", "--config", self.config], stderr=log)

    def settle(self):
        """Wait until everybody hears everybody, and nobody is there."""
        self._probes += 1
        mark = str(self._probes)

        until(self._nobody_is_there, "the end of the visit")

        def heard():
            self.listener.client.publish("probe", mark, qos=1)
            return (
                self.hass.state("sensor.probe") == mark
                and mark.encode() in self.listener.of("probe")
                and self.listener.of("face_det/home/status")[-1:] == [b"online"]
                and self.hass.state("binary_sensor.face_det_front_face_seen") == "off"
                and self.hass.state(EVENT_ENTITY) not in (None, "unavailable")
            )

        until(heard, "the house")

    def _nobody_is_there(self):
        """Whether the daemon's visits have ended, and the bridge has told of everything."""
        with Client(self.daemon.endpoint, timeout_s=300) as client:
            about = client.status()["sightings"]
            newest = client.events(max(0, about["last_event"] - 1), 0)["events"]
        over = all(one["type"] not in ("visit_began", "seen", "corroborated") for one in newest)
        return over and about["consumers"].get("mqtt-home", {"behind": 1})["behind"] == 0

    def show(self, photo):
        """Show the daemon a picture of the camera `front`."""
        with Client(self.daemon.endpoint, timeout_s=300) as client:
            client.recognize(str(self.photos[photo]), {"camera": "front"})

    @contextmanager
    def showing(self, photo):
        """Show it again and again, so that the visit goes on however slow everything is."""
        enough = threading.Event()

        def show():
            while not enough.is_set():
                self.show(photo)
                enough.wait(0.5)

        shower = threading.Thread(target=show)
        shower.start()
        try:
            yield
        finally:
            enough.set()
            shower.join()

    def told(self):
        """The events that the broker has had."""
        return [json.loads(one) for one in self.listener.of(EVENTS)]

    def close(self):
        self.hass.stop()
        if self.bridge is not None:
            self.bridge.terminate()
            self.bridge.wait(300)
        self.listener.close()
        self.broker.stop()


@pytest.fixture(scope="session")
def house(release, tmp_path_factory, small_photos, yaml_blocks):
    """The house, where Alice is known and the documented automations run."""
    command = (*CLI, "serve", "--config")
    with lasting_daemon(command, sightings={"visitGap": 3}) as daemon:
        with Client(daemon.endpoint, timeout_s=300) as client:
            client.add_face("Alice", small_photos["obama"].read_bytes())
        built = House(release, tmp_path_factory.mktemp("house"), daemon, small_photos, "".join(yaml_blocks))
        try:
            built.start("bridge")
            built.start("hass")
            yield built
        finally:
            built.close()
