"""`face-det up`: the daemon and the page from one command."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from running import PATIENCE_S, eventually

from face_det.rpc import Client


def test_one_command_serves_the_page_and_ends_at_ctrl_c(folder):
    """FACES_DIR, PORT and CAMERA_URL are understood; Ctrl-C is a normal end of both."""
    config = folder / "config.json"
    config.write_text(
        json.dumps({"faceDetServer": {"zerorpcPipe": f"ipc://{folder}/s", "faceDetModel": "hog"}})
    )
    log = folder / "log"
    environ = {
        "FACES_DIR": str(folder / "faces"),
        "PORT": "0",
        "CAMERA_URL": "http://user:secret@127.0.0.1:9/x",
    }
    command = [sys.executable, "-m", "face_det.cli.main", "up", "--config", str(config)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, env={**os.environ, **environ})
    try:
        eventually(
            lambda: log.read_text().count(" ready") == 2 or process.poll() is not None, "both programs"
        )
        (address,) = re.findall(r"the page is at (\S+)/\n", log.read_text())
        status = httpx.get(f"{address}/api/v1/status", timeout=PATIENCE_S).json()
        assert status["dataset"] == str(folder / "faces")
        assert status["gateway"]["cameras"] == ["camera"]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
    assert "secret" not in log.read_text()


@pytest.mark.slow
def test_live_cameras_are_watched_as_well(folder, photos):
    """Where a camera is live, `face-det watch` is the third program."""
    config = folder / "config.json"
    cameras = {"door": {"url": photos["obama"].as_uri(), "live": True, "fps": 1}}
    settings = {"zerorpcPipe": f"ipc://{folder}/s", "faceDetModel": "hog", "cameras": cameras}
    config.write_text(json.dumps({"faceDetServer": {**settings, "http": {"port": 0}}}))
    log = folder / "log"
    command = [sys.executable, "-m", "face_det.cli.main", "up", "--config", str(config)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file)
    try:
        eventually(lambda: "watch   | " in log.read_text() or process.poll() is not None, "the third program")
        eventually(
            lambda: "ready: watching door" in log.read_text() or process.poll() is not None, "the cameras"
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()


@pytest.mark.slow
def test_actions_are_done_as_well(folder, small_photos):
    """Where `onRecognition` is set, `face-det actions` is another program."""
    config = folder / "config.json"
    bell = {"name": "bell", "command": ["/usr/bin/touch", str(folder / "rung")]}
    settings = {"zerorpcPipe": f"ipc://{folder}/s", "faceDetModel": "hog", "sightings": {}}
    config.write_text(
        json.dumps({"faceDetServer": {**settings, "onRecognition": [bell], "http": {"port": 0}}})
    )
    log = folder / "log"
    command = [sys.executable, "-m", "face_det.cli.main", "up", "--config", str(config)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file)
    try:
        eventually(lambda: "actions | " in log.read_text() or process.poll() is not None, "the program")
        eventually(lambda: (folder / "s").exists() or process.poll() is not None, "the daemon")
        cameras = itertools.count()
        with Client(f"ipc://{folder}/s", timeout_s=PATIENCE_S) as client:

            def is_rung():
                # It begins with what happens once it has connected, so somebody comes again and again.
                client.recognize(str(small_photos["obama"]), {"camera": f"door{next(cameras)}"})
                return (folder / "rung").exists()

            eventually(is_rung, "the bell")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()


@pytest.mark.slow
def test_a_port_in_use_ends_both(folder):
    """With the gateway's exit status and its sentence."""
    config = folder / "config.json"
    config.write_text(json.dumps({"faceDetServer": {"zerorpcPipe": f"ipc://{folder}/s"}}))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "face_det.cli.main", "up", "--config", str(config)],
            env={**os.environ, "PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    assert done.returncode == 75
    assert f"http.host 127.0.0.1, http.port {port}: must be a free address" in done.stderr
