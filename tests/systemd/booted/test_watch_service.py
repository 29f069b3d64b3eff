"""The cameras' service under a real systemd: it watches, it comes back, and it sees no gallery."""

from __future__ import annotations

import json

import cv2
import image
import pytest
from machine import SERVICE, eventually

WATCH = f"{SERVICE}-watch"
FACE_DET = f"{image.VENV}/bin/face-det"
CONFIG = f"/etc/{SERVICE}/config.json"
CAMERAS = """\
import http.server, itertools, pathlib
turn = itertools.cycle([pathlib.Path('/shared/photos', name).read_bytes() for name in ('obama', 'obama2')])

class Camera(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', 'image/jpeg')
        self.end_headers()
        self.wfile.write(next(turn))

http.server.ThreadingHTTPServer(('127.0.0.1', 9000), Camera).serve_forever()
"""
STATUS = "import json; print(json.dumps(daemon.status()['cameras']))"


@pytest.fixture
def watched(service):
    """The machine with cameras and the service that watches them; afterwards without it."""
    film = cv2.VideoWriter(str(service.shared / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 5, (320, 240))
    photo = cv2.resize(cv2.imread(str(service.shared / "photos" / "obama")), (320, 240))
    for _ in range(20):
        film.write(photo)
    film.release()
    (service.shared / "film.avi").chmod(0o644)
    python = f"{image.VENV}/bin/python"
    service.run("systemd-run", "--unit=cameras", python, "-c", CAMERAS)
    service.configure(
        cameras={
            "snapshot": {"url": "http://127.0.0.1:9000/", "live": True},
            "film": {"url": "file:///shared/film.avi", "live": True},
        }
    )
    service.run(FACE_DET, "install-service", "--watch")
    service.run("systemctl", "enable", "--now", WATCH)
    yield service
    service.run(FACE_DET, "install-service", "--uninstall", "--watch", "--purge")
    service.run("systemctl", "stop", "cameras")


def told(machine, key):
    """What the daemon was told of the cameras, by name."""
    return {name: about[key] for name, about in json.loads(machine.ask(STATUS).out).items()}


def test_it_watches_behind_its_walls(watched):
    """Snapshots, and a video that a process of its own decodes."""
    show = ("systemctl", "show", "--value", "--property=ActiveState,UnitFileState", WATCH)
    assert watched.run(*show).out.split() == ["active", "enabled"]
    expected = {"snapshot": "fine", "film": "fine"}
    eventually(lambda: told(watched, "state") == expected, f"{expected}")
    for name in ("snapshot", "film"):
        eventually(lambda name=name: told(watched, "answered")[name] > 0, f"answers about {name}")
    show = ("systemctl", "show", "--value", "--property=StatusText", WATCH)
    eventually(lambda: watched.run(*show).out == "2 of 2 cameras are fine", "its status")


def test_it_comes_back_and_is_not_tried_without_cameras(watched):
    """After a kill at once; exit 78 without a live camera, and systemd leaves it at that."""
    show = ("systemctl", "show", "--value", "--property=MainPID", WATCH)
    before = watched.run(*show).out
    watched.run("systemctl", "kill", "--signal=KILL", WATCH)
    eventually(lambda: watched.run(*show).out not in ("0", before), "another process")
    watched.configure(cameras={})
    watched.run("systemctl", "restart", WATCH, check=False)
    ended = ("systemctl", "show", "--value", "--property=ExecMainStatus,NRestarts", WATCH)
    eventually(lambda: sorted(watched.run(*ended).out.split()) == ["0", "78"], "its end")
    assert not watched.run("systemctl", "is-active", WATCH, check=False).ok


def test_it_can_see_no_faces_and_write_nothing(watched):
    """The same walls around a program that tries, as the same user and group."""
    found = watched.try_within_walls(WATCH, "try_watch_walls.py", "try_web_walls.py")
    assert {attempt for attempt, outcome in found["forbidden"].items() if outcome == "done"} == set()
    assert set(found["allowed"].values()) == {"done"}
