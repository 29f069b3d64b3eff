"""`face-det watch` as a separate process, and what a daemon without faces was asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from running import eventually

WATCH = (sys.executable, "-m", "face_det.cli.main", "watch", "--config")
PATIENCE_S = 120


def followed(daemon):
    """What the daemon was asked to follow: the options of each call."""
    path = daemon.folder / "FOLLOWED.txt"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Watch:
    """The process, and its log."""

    def __init__(self, folder, endpoint, cameras):
        self.log_path = folder / "watch.log"
        self.config = folder / "watch.json"
        cameras = {name: {"live": True, "fps": 20, **about} for name, about in cameras.items()}
        settings = {
            "zerorpcPipe": endpoint,
            "cameras": cameras,
            "logLevel": "debug",
            "zerorpcHeartBeat": 2000,
        }
        self.config.write_text(json.dumps({"faceDetServer": settings}))
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen([*WATCH, self.config], stderr=log, env=dict(os.environ))

    @property
    def log(self):
        return self.log_path.read_text()

    def until_logged(self, text):
        eventually(lambda: text in self.log or self.process.poll() is not None, text)
        assert self.process.poll() is None, self.log

    def stop(self, number=signal.SIGTERM):
        """End it; its exit status."""
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
