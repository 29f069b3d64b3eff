"""`face-det zm-event` as a process, for the stand-in and for the real server."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

CLI = (sys.executable, "-m", "face_det.cli.main")


@pytest.fixture
def zm_event(daemon, settings, tmp_path):
    """Run the command; its exit status, its JSON and what it says on stderr."""

    def run(*arguments, **changed):
        about = {"zerorpcPipe": daemon.endpoint, "zoneminder": {**settings, **changed}}
        (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": about}))
        command = (*CLI, "zm-event", *map(str, arguments), "--json", "--config", tmp_path / "config.json")
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        return done.returncode, json.loads(done.stdout or "null"), done.stderr

    return run
