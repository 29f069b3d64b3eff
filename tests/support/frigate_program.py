"""`face-det frigate` as a process, and what the frames of its stand-in look like."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time

from mosquitto import until
from PIL import Image

CLI = (sys.executable, "-m", "face_det.cli.main")
SIZE = (1280, 720)
LEFT, RIGHT = (100, 100, 600, 700), (680, 100, 1180, 700)
"""Where the two people of a frame are, in pixels."""


def share(box):
    """A box as Frigate's API has it: x, y, width and height, in shares of the frame."""
    left, top, right, bottom = box
    width, height = SIZE
    return [left / width, top / height, (right - left) / width, (bottom - top) / height]


def event_id(number):
    """An id as Frigate makes them."""
    return f"{time.time():.6f}-abc{number:03d}"


def draw_frame(photos, left=None, right=None):
    """A JPEG of a frame with one photo on its left and one on its right."""
    shown = Image.new("RGB", SIZE, (90, 110, 90))
    for name, box in ((left, LEFT), (right, RIGHT)):
        if name is not None:
            photo = Image.open(photos[name]).convert("RGB")
            photo.thumbnail((box[2] - box[0], box[3] - box[1]))
            shown.paste(photo, box[:2])
    file = io.BytesIO()
    shown.save(file, "JPEG", quality=95)
    return file.getvalue()


class FrigateProgram:
    """Starts and ends `face-det frigate`; its name at the broker is new in each test."""

    def __init__(self, daemon, api, broker, folder):
        self._folder, self._log, self._api, self._daemon = folder, folder / "log", api, daemon
        self.about = {
            "zerorpcPipe": daemon.endpoint,
            "sightings": {},
            "mqtt": {"port": broker.port, "id": folder.name[-30:]},
            "frigate": {"url": api.url, "every": 0.2},
        }
        self.process = None

    def start(self, *, ready=True, **changed):
        """Start it, and wait until it listens and has asked for what it missed."""
        self.about["frigate"].update(changed)
        (self._folder / "config.json").write_text(json.dumps({"faceDetServer": self.about}))
        asked = self._api.count("events")
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*CLI, "frigate", "--config", self._folder / "config.json"], stderr=log
            )
        if ready:
            # Once at the start, and once when it has subscribed.
            until(lambda: self._api.count("events") >= asked + 2, "the question for missed events")

    def log(self):
        return self._log.read_text() if self._log.exists() else ""

    def until_logged(self, text):
        until(lambda: text in self.log(), f"{text!r} in the log")

    def place(self, seconds=None):
        """The time that the daemon keeps for it; with `seconds`, set it first."""
        client = self._daemon.client()
        try:
            return client.cursor(f"frigate-{self.about['mqtt']['id']}", seconds)
        finally:
            client.close()

    def stop(self):
        """Stop it as systemd does; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(300)

    def kill(self):
        """End it as kill -9 does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
