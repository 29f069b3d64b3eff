"""`face-det live`: who is in front of a camera or in a file, from a real daemon."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys

import cv2
import pytest
from camera_server import CameraServer, small_pictures
from daemon_fixtures import lasting_daemon
from running import PATIENCE_S
from running_here import run_here

from face_det.cameras import CameraPicture
from face_det.watch import FaceFollower

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")


@pytest.fixture(scope="module")
def daemon(photos):
    with lasting_daemon(SERVE) as daemon:
        client = daemon.client()
        client.add_face("Obama", photos["obama"].read_bytes())
        client.close()
        yield daemon


@pytest.fixture
def live(daemon, tmp_path):
    """live("--input", FILE, ...): the command, for the daemon."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"faceDetServer": {"zerorpcPipe": daemon.endpoint}}))
    return lambda *words: run_here("live", *words, "--config", config, cwd=tmp_path)


@pytest.mark.slow
def test_a_picture_and_a_capture(live, photos, call, daemon):
    """Who is in it; the clearest face is enrolled, and nothing else."""
    done = live("--input", photos["obama3"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("   0.0 s  Obama ")
    assert live("--input", photos["nobody"], "--capture", "Eve").returncode == 65
    done = live("--input", photos["biden"], "--capture", "Joe", "--json")
    assert done.stderr == "captured Joe\n"
    assert [face["face"] for face in json.loads(done.stdout)["faces"]] == ["Unknown"]
    people = {one["name"]: one["images"] for one in call(daemon, "people")}
    assert people == {"Obama": 1, "Joe": 1}
    call(daemon, "forget", "Joe")


@pytest.mark.anyio
async def test_two_programs_follow_streams_of_their_own():
    """What one saw is not taken for what the other sees."""
    streams = []

    class Daemon:
        async def call(self, verb, picture, options, timeout_s=None):
            streams.append((verb, options["stream"]))
            return []

    async def pictures():
        for time in (0.0, 0.2):
            yield CameraPicture(b"", time)

    for _ in range(2):
        await FaceFollower(Daemon(), lambda at_s, faces: None).follow(pictures())
    assert [verb for verb, _ in streams] == ["follow"] * 4
    assert [streams.count(one) for one in streams] == [2] * 4


def test_a_video_to_its_end(live, photos, tmp_path):
    """One line when somebody comes; it ends with the video."""
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (400, 400))
    (tmp_path / "face.jpg").write_bytes(small_pictures(photos["obama2"], size=(400, 400))[0])
    for _ in range(8):
        writer.write(cv2.imread(str(tmp_path / "face.jpg")))
    writer.release()
    done = live("--input", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split("s  ")[1].startswith("Obama ")


@pytest.mark.slow
def test_a_dataset_of_its_own(live, photos, tmp_path):
    """One photo a person is enough; the folder is only read."""
    for name, photo in (("Barack", "obama"), ("Joe", "biden")):
        (tmp_path / "faces" / name).mkdir(parents=True)
        shutil.copy(photos[photo], tmp_path / "faces" / name)
    done = live("--input", photos["obama2"], "--dataset", tmp_path / "faces")
    assert done.returncode == 0, done.stderr
    assert "Barack" in done.stdout
    assert sorted(path.name for path in (tmp_path / "faces").rglob("*.*")) == ["biden.jpg", "obama.jpg"]


@pytest.mark.slow
def test_ctrl_c_ends_a_camera_and_captures(daemon, photos, tmp_path, call):
    """What was seen until then counts."""
    server = CameraServer([photos["biden"].read_bytes()], fps=5)
    cameras = {"front": {"url": server.address("mjpeg")}}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"faceDetServer": {"zerorpcPipe": daemon.endpoint, "cameras": cameras}}))
    command = [sys.executable, "-m", "face_det.cli.main", "live", "--capture", "Joe", "--config", config]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "1 stranger" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENCE_S)[1] == "captured Joe\n"
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
        server.stop()
    assert "Joe" in {one["name"] for one in call(daemon, "people")}
    call(daemon, "forget", "Joe")


def test_what_cannot_be_read(live, tmp_path):
    """Each says why."""
    assert "--camera: must be a camera (none is configured) or a number" in live("--camera", "attic").stderr
    assert live("--camera", "97").returncode == 75
    (tmp_path / "x.mp4").write_text("no video")
    assert "must be a video that can be read" in live("--input", tmp_path / "x.mp4").stderr
