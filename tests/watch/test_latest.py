"""A camera that only `face-det watch` can open: everything else works on the pictures that it sends."""

from __future__ import annotations

import asyncio
import json
import sys

import cv2
import numpy as np
import pytest
from daemon_fixtures import lasting_daemon
from gateway_fixtures import lasting_gateway
from running import eventually
from running_here import run_here
from watching import Watch

from face_det.cameras import CameraSource
from face_det.errors import CameraFailed
from face_det.rpc import AsyncClient
from face_det.watch import read_watched

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
SIDE = 400


@pytest.fixture(scope="module")
def daemon():
    with lasting_daemon(SERVE) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def film(small_photos, tmp_path_factory):
    """Ten minutes of Obama, who stands in for a device: another picture each second."""
    frames = []
    for name in ("obama", "obama2"):
        photo = cv2.imread(str(small_photos[name]))
        scale = SIDE / max(photo.shape[:2])
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for shift in (0, 6):
            frame = np.full((SIDE, SIDE, 3), 90, np.uint8)
            frame[: photo.shape[0], shift : shift + photo.shape[1]] = photo[:, : SIDE - shift]
            frames.append(frame)
    path = tmp_path_factory.mktemp("film") / "desk.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 1, (SIDE, SIDE))
    for index in range(600):
        writer.write(frames[index % len(frames)])
    writer.release()
    return path


@pytest.fixture
def held(daemon, film, tmp_path, call):
    """held(): `face-det watch` has opened the camera `desk`, which cannot be opened again; its settings."""
    device = tmp_path / "device"
    device.hardlink_to(film)
    cameras = {"desk": {"url": f"v4l2://{device}"}}
    watch = Watch(tmp_path, daemon.endpoint, cameras)
    try:
        eventually(lambda: call(daemon, "camera_picture", "desk"), "the first picture", 300)
        device.unlink()
        yield watch, cameras
    finally:
        watch.stop()


@pytest.mark.slow
def test_routes_and_commands_share_what_is_watched(daemon, held, tmp_path, call):
    """A snapshot, add-face, the live view and `face-det enrol --camera`."""
    _, cameras = held
    with lasting_gateway(tmp_path, daemon.endpoint, cameras=cameras) as web:
        picture = web.get("/api/v1/cameras/desk/snapshot.jpg")
        assert picture.status_code == 200, picture.text
        assert cv2.imdecode(np.frombuffer(picture.content, np.uint8), 1).shape == (SIDE, SIDE, 3)
        added = web.post("/add-face/Barack?camera=desk")
        assert (added.status_code, added.text) == (200, "OK")
        seen = web.post("/api/v1/cameras/desk/faces?follow=tab").json()["faces"]
        assert [face["face"] for face in seen] == ["Barack"]
        # What follows a copy is not taken for a newer picture.
        first = call(daemon, "camera_picture", "desk")
        call(daemon, "follow", picture.content, {"camera": "desk", "stream": "tab"})
        second = call(daemon, "camera_picture", "desk")
        assert second["picture"] != picture.content or second["time"] == first["time"]
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"faceDetServer": {"zerorpcPipe": daemon.endpoint, "cameras": cameras}}))
    done = run_here(
        "enrol", "Ann", "--count", "2", "--yes", "--seconds", "300", "--config", config, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (0, "Ann has 2 photos\n"), done.stderr
    remote = ("--remote", daemon.endpoint)
    other = run_here("enrol", "Bob", "--yes", *remote, "--config", config, cwd=tmp_path)
    assert "camera desk: must be a video that can be read" in other.stderr, "another machine's camera"


@pytest.mark.slow
def test_it_is_said_when_no_more_is_watched(daemon, held):
    """The camera is not opened behind the back of whoever closed it."""
    watch, cameras = held

    async def read():
        source = CameraSource("desk", cameras["desk"]["url"], fps=20)
        seen = 0
        async with AsyncClient(daemon.endpoint) as client:
            async for _ in read_watched(client, source):
                seen += 1
                if seen == 2:
                    await asyncio.to_thread(watch.stop)
        return seen

    with pytest.raises(CameraFailed, match="camera desk: `face-det watch` sends no more pictures of it"):
        asyncio.run(read())


def test_others_are_asked_themselves(daemon, call):
    """A picture of long ago, or of no camera, is none; names are text."""
    assert call(daemon, "camera_picture", "nobody's") is None
    with pytest.raises(Exception, match="camera: must be text, got int"):
        call(daemon, "camera_picture", 7)
