"""The real daemon around a service that does as its callers say: `fake_daemon.py CONFIG [CALL_LIMIT_S]`."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from pathlib import Path

from face_det import errors
from face_det.config import load
from face_det.daemon import daemon, methods
from face_det.errors import BadImage, BadRequest, FaceDetError, ModelMismatch, UnknownPerson


def follow(steps):
    """Do what a call's steps say; what they are called is what they do."""
    for step in steps:
        for action, value in step.items():
            ACTIONS[action](value)


def burn(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


def hold_gil(seconds):
    # A PyDLL's functions are called with the GIL held, as a careless extension's are.
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.01)


def fail(given):
    name, message = given
    raise (getattr(errors, name, None) or getattr(__import__("builtins"), name))(message)


def fail_at_path(name):
    raise BadImage(f"{os.fsdecode(name)}: must be a picture")


ACTIONS = {
    "sleep": time.sleep,
    "burn": burn,
    "hold_gil": hold_gil,
    "touch": lambda path: Path(path).touch(),
    "wait_for": wait_for,
    "fail": fail,
    "fail_at_path": fail_at_path,
    "note": lambda value: None,
}


SLOW_S = 0.05
"""How long a slow daemon takes over a picture."""


class FakeFollowing:
    """Writes a line for each picture into FOLLOWED.txt of `folder`; waits while `hold` is there, takes
    SLOW_S while `slow` is, and raises what `fail` says."""

    streams = 0

    def __init__(self, folder):
        self._folder = folder

    def end_all(self):
        pass

    def follow(self, image, options, notes, caller):
        about = {**options, "bytes": len(image), "at": time.time()}
        with (self._folder / "FOLLOWED.txt").open("a") as file:
            file.write(json.dumps(about) + "\n")
        while (self._folder / "hold").exists():
            time.sleep(0.01)
        if (self._folder / "slow").exists():
            time.sleep(SLOW_S)
        if (self._folder / "fail").exists():
            fail([(self._folder / "fail").read_text(), "as told"])
        return []


class FakeService:
    """The verbs of face_det.service.service.Service, without faces."""

    memory = corrections = None

    def __init__(self, config):
        self.photos = self
        self.following = FakeFollowing(config.state_path.parent)
        self.min_proba = config.min_proba
        self.model = {"classifier": "svm", "classes": ["Ann", "Bob"], "fingerprint": "f", "trained_at": None}
        if config.comment == "untrained":
            self.model = None
        if config.comment == "unfit":
            raise ModelMismatch("labels: must be 2, got 3")
        if config.comment.startswith("wait_for "):
            Path(config.comment.split()[1] + ".waiting").touch()
            wait_for(config.comment.split()[1])

    def prepare(self):
        pass

    def detect_faces(self, images, notes=None, budget=None, caller=""):
        if not isinstance(images, list):
            raise BadRequest(f"images: must be a list, got {type(images).__name__}")
        follow(images)
        notes.update(images=len(images), detect_ms=1.5)
        return json.dumps(images)

    def recognize(self, image, options=None, notes=None, caller=""):
        return [{"face": None, "bytes": len(image), "options": options}]

    def add_face(self, name, image, notes=None, options=None):
        follow(name if isinstance(name, list) else [])
        return {"name": name, "images": 1}

    def people(self):
        return [{"name": "Ann", "images": 3}]

    def forget(self, name, notes=None):
        raise UnknownPerson(f"name: must be somebody enrolled, got {name!r}")

    def train(self, options=None, notes=None):
        follow((options or {}).get("steps", []))
        return {"trained": True}

    def reload(self):
        return {"model": self.model}

    def status(self):
        counters = {"images": 0}
        return {
            "version": "0",
            "uptime_s": 0.0,
            "model": self.model,
            "counters": counters,
            "min": self.min_proba,
        }

    def _secret(self):
        return "told"


def main():
    path = Path(sys.argv[1])
    limit_s = float(sys.argv[2]) if len(sys.argv) > 2 else methods.CALL_LIMIT_S
    ended = daemon.run_daemon(
        lambda: load.load_config(path, {}),
        lambda config, _: FakeService(config),
        os.environ,
        call_limit_s=limit_s,
    )
    if not ended:
        os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except FaceDetError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
