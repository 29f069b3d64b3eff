"""`face-det enrol NAME --camera`: from a camera's pictures to photos of one person."""

from __future__ import annotations

import io
import json
import sys

import PIL.Image
import pytest
from camera_server import CameraServer
from daemon_fixtures import lasting_daemon
from running_here import run_here

from face_det.watch import views

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")


def jpeg(path, shift=0, size=400):
    with PIL.Image.open(path) as picture:
        picture = picture.convert("RGB")
        picture.thumbnail((size, size))
        frame = PIL.Image.new("RGB", (size + 40, size + 40), (90, 90, 90))
        frame.paste(picture, (shift, 10))
        file = io.BytesIO()
        frame.save(file, "JPEG", quality=92)
    return file.getvalue()


@pytest.fixture(scope="module")
def daemon():
    with lasting_daemon(SERVE) as daemon:
        yield daemon


@pytest.fixture
def enrol(daemon, tmp_path, monkeypatch):
    """enrol(pictures, "Ann", ...): the command, before a camera that shows these in turn."""
    servers = []

    def run(pictures, *words, said=""):
        servers.append(CameraServer(pictures, fps=5))
        cameras = {"front": {"url": servers[-1].address("mjpeg")}}
        config = tmp_path / "config.json"
        config.write_text(json.dumps({"faceDetServer": {"zerorpcPipe": daemon.endpoint, "cameras": cameras}}))
        terminal = io.StringIO(said)
        terminal.isatty = lambda: bool(said)
        monkeypatch.setattr(sys, "stdin", terminal)
        return run_here("enrol", *words, "--config", config, cwd=tmp_path)

    yield run
    for server in servers:
        server.stop()


@pytest.mark.slow
def test_different_views_of_one_person_are_saved(enrol, photos, call, daemon):
    """Two that differ are taken of four pictures; another person's is not, and it asks before it saves."""
    pictures = [jpeg(photos[name], shift) for name in ("obama", "obama2") for shift in (0, 5)]
    declined = enrol(pictures, "Ann", "--count", "2", said="n\n")
    assert declined.returncode == 1, declined.stderr
    assert "Save 2 views of Ann? [y/N]" in declined.stderr + declined.stdout
    assert "add --yes" in enrol(pictures, "Ann").stderr
    assert call(daemon, "people") == []
    done = enrol(pictures, "Ann", "--count", "2", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Ann has 2 photos\n"
    assert "1 of 2: good, one more view" in done.stderr
    mixed = enrol([jpeg(photos["biden"], size=800), jpeg(photos["obama"], 3)], "Bob", "--count", "2", "--yes")
    assert "2 of 2: good, one more view" in mixed.stderr
    assert mixed.stdout == "Bob has 1 photo\n"
    assert {one["name"]: one["images"] for one in call(daemon, "people")} == {"Ann": 2, "Bob": 1}


def test_the_hint_names_the_side_that_is_missing(photos):
    """First the person's left, which is right in the picture, then the right; without poses, neither."""
    collector = views.ViewCollector(9)
    picture, other = jpeg(photos["obama"]), jpeg(photos["obama2"])
    face = {"faceBox": {"xmin": 100, "ymin": 40, "xmax": 260, "ymax": 240}, "quality": 0.9}
    face["qualityParts"] = {"sizePx": 160}

    def hint(data, yaw):
        pose = {} if yaw is None else {"headPose": {"yaw": yaw, "pitch": 0, "roll": 0}}
        return collector.offer(data, [{**face, **pose}])

    assert [hint(picture, None), hint(picture, None)] == [views.TAKEN, views.TURN]
    collector.views.clear()
    assert [hint(picture, 3), hint(picture, 20)] == [views.TAKEN, views.TURN_LEFT]
    assert [hint(other, 20), hint(other, 20)] == [views.TAKEN, views.TURN_RIGHT]
    collector.views.clear()
    assert [hint(picture, -20), hint(picture, -20)] == [views.TAKEN, views.TURN_LEFT]


def test_hints(enrol, photos):
    """What keeps it from taking a picture is said."""
    for name, size, hint in (("nobody", 400, views.NOBODY), ("t1", 400, views.SEVERAL)):
        done = enrol([jpeg(photos[name], size=size)], "Eve", "--seconds", "1", "--yes")
        assert done.returncode == 65
        assert f"0 of 8: {hint}" in done.stderr
        assert "camera front: must show somebody" in done.stderr


def test_a_camera_that_is_not_configured(enrol):
    """The error names those that are."""
    done = enrol([b""], "Ann", "--yes", "--camera", "attic")
    assert (done.returncode, done.stderr) == (
        65,
        "face-det: --camera: must be one of front, got 'attic'\n",
    )
