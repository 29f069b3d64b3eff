"""`face-det actions` as a process of its own, with a real daemon, real photos and a real web server."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from daemon_fixtures import lasting_daemon
from running import eventually

CLI = (sys.executable, "-m", "face_det.cli.main")
HANG = "import os, time; parent = os.getppid()\nwhile os.getppid() == parent: time.sleep(0.1)"
"""Until the program is killed."""
NOTE = "import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + chr(10))"


@pytest.fixture(scope="module")
def daemon(small_photos):
    """A daemon that remembers, and knows Obama and Biden."""
    with lasting_daemon((*CLI, "serve", "--config"), sightings={}) as daemon:
        client = daemon.client()
        client.add_face("Obama", small_photos["obama"].read_bytes())
        client.add_face("Biden", small_photos["biden"].read_bytes())
        client.close()
        yield daemon


@pytest.fixture
def client(daemon):
    """A client of the daemon."""
    client = daemon.client()
    yield client
    client.close()


class Program:
    """The program, with actions in a configuration of its own."""

    def __init__(self, daemon, folder, *actions, **settings):
        self._actions = actions
        self.log_path = folder / "log"
        self.letters = folder / "state" / "failed-actions.jsonl"
        self._config = folder / "config.json"
        about = {"zerorpcPipe": daemon.endpoint, "sightings": {}, "onRecognition": actions, **settings}
        self._config.write_text(json.dumps({"faceDetServer": about}))

    def start(self, client):
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen([*CLI, "actions", "--config", self._config], stderr=log)
        for one in self._actions:
            eventually(lambda one=one: client.cursor(f"actions/{one['name']}"), "the cursors")

    def read_letters(self):
        lines = self.letters.read_text().splitlines() if self.letters.exists() else ()
        return [json.loads(line) for line in lines]


@pytest.fixture
def program(daemon, client, tmp_path):
    """program(*actions, **settings): started, and ended at the end."""
    started = []

    def start(*actions, folder=tmp_path, **settings):
        one = Program(daemon, folder, *actions, **settings)
        started.append(one)
        one.start(client)
        return one

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def note(path, *words):
    """A command that appends a line to a file."""
    return [sys.executable, "-c", NOTE, str(path), *words]


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def walk_by(client, photo, camera, *, frames=6, ago_s=0.0):
    """Let somebody walk past a live camera, now or some time ago."""
    shown = cv2.imread(str(photo))
    scale = 240 / max(shown.shape)
    shown = cv2.resize(shown, None, fx=scale, fy=scale)
    height, width = shown.shape[:2]
    begun = time.time() - ago_s
    for step in range(frames):
        wall = np.full((240, 320, 3), 120, np.uint8)
        left = 10 * step
        wall[:height, left : left + width] = shown
        # A quarter of a second apart, however slow this machine is, and now.
        moment = {"camera": camera, "time": begun + step / 4}
        client.follow(cv2.imencode(".jpg", wall)[1].tobytes(), moment)


def walk_in(client, photo, camera, running, opened):
    """Let somebody walk past cameras until something opens: a slow machine may not see them in time."""
    for number in itertools.count(len(running.read_letters())):
        walk_by(client, photo, f"{camera}{number}")
        eventually(lambda number=number: opened() or len(running.read_letters()) > number, "the door")
        if opened():
            return


def test_what_is_done_when_somebody_is_seen(program, client, web, small_photos, tmp_path):
    """A hung action delays no other, nothing is lost by kill -9, and tokens are in no log."""
    (tmp_path / "token").write_text("s3cret-id")
    web.answers["/hang"] = web.hang
    running = program(
        {"name": "hang", "command": [sys.executable, "-c", HANG], "timeout": 600},
        {"name": "hangweb", "webhook": f"{web.address}/hang", "timeout": 600},
        {"name": "ha", "webhook": f"{web.address}/api/webhook/{{token}}", "tokenFile": "token"},
        {"name": "note", "command": note(tmp_path / "notes", "{person}", "{camera}", "{outcome}")},
        {"name": "fails", "command": ["/bin/false"], "attempts": 2, "persons": ["Obama"]},
        {"name": "other", "command": note(tmp_path / "other", "{person}"), "cameras": ["garden"]},
    )
    client.recognize(str(small_photos["obama3"]), {"camera": "front"})
    eventually(lambda: "/api/webhook/s3cret-id" in web.paths and "/hang" in web.paths, "the webhooks")
    eventually(lambda: lines(tmp_path / "notes") == ["Obama front known"], "the note")
    eventually(lambda: [one["action"] for one in running.read_letters()] == ["fails"], "the letter")
    (body,) = (json.loads(body) for path, _, body in web.requests if "webhook" in path)
    assert (body["person"], body["camera"], body["frames"]) == ("Obama", "front", 1)
    seq = body["seq"]
    eventually(lambda: client.cursor("actions/note") >= seq, "the cursor")
    assert client.cursor("actions/hang") < seq
    running.process.kill()
    running.process.wait()
    web.answers.clear()
    client.recognize(str(small_photos["obama3"]), {"camera": "garden"})
    running.start(client)
    eventually(lambda: len(lines(tmp_path / "notes")) == 2, "the second note")
    # What hung when it was killed comes again.
    eventually(lambda: web.paths.count("/hang") == 3, "the webhook that hung, and the next")
    assert lines(tmp_path / "notes") == ["Obama front known", "Obama garden known"]
    eventually(lambda: lines(tmp_path / "other") == ["Obama"], "the other note")
    seqs = [json.loads(body)["seq"] for path, _, body in web.requests if path == "/hang"]
    assert seqs[:2] == [seq, seq]
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(300) == 0
    assert "s3cret" not in running.log_path.read_text() + running.letters.read_text()


@pytest.mark.slow
def test_two_programs_do_nothing_twice(program, client, small_photos, tmp_path):
    """One acts; one that was killed and started again needs not wait; the other follows at the end."""
    notes = tmp_path / "notes"
    one = {"name": "twice", "command": note(notes, "{seq}", "{camera}")}
    (tmp_path / "other").mkdir()
    first = program(one)
    second = program(one, folder=tmp_path / "other")
    eventually(lambda: "this one waits" in second.log_path.read_text(), "the second to wait")

    def walk_past(number):
        client.recognize(str(small_photos["obama3"]), {"camera": f"twice{number}"})
        eventually(lambda: len(lines(notes)) == number + 1, "the note")
        # Otherwise, what was killed too early would do it again.
        seq = int(lines(notes)[-1].split()[0])
        eventually(lambda: client.cursor("actions/twice") >= seq, "the cursor")

    for number in range(2):
        walk_past(number)
        first.process.kill()
        first.process.wait()
        first.start(client)
    walk_past(2)
    assert "this one waits" not in first.log_path.read_text()
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(300) == 0
    eventually(lambda: "this program uses it now" in second.log_path.read_text(), "the second's turn")
    walk_past(3)
    assert [line.split()[1] for line in lines(notes)] == [f"twice{number}" for number in range(4)]
    assert second.log_path.read_text().count("this one waits") == 1


def test_a_door_opens_for_who_may_come_in(program, client, small_photos, tmp_path):
    """Who walks by is seen in two frames that agree; no single picture opens it, nor does somebody marked."""
    doors = tmp_path / "doors"
    door = {"name": "door", "command": note(doors, "{person}", "{frames}"), "opens": True}
    bell = {"name": "bell", "command": note(tmp_path / "bells", "{person}", "{camera}")}
    running = program({**door, "persons": ["Obama", "Biden"]}, bell, neverUnlock=["Biden"])
    # The other tests have the same daemon.
    begin = client.events(0)["last"]
    for photo in ("obama3", "obama2"):
        client.recognize(str(small_photos[photo]), {"camera": "gate"})
    walk_by(client, small_photos["biden"], "hall")
    eventually(lambda: set(lines(tmp_path / "bells")) == {"Obama gate", "Biden hall"}, "the bell")
    names = [one["name"] for one in client.events(begin)["events"] if one.get("frames", 0) >= 2]
    assert names == ["Biden"]
    walk_in(client, small_photos["obama3"], "door", running, lambda: lines(doors))
    (line,) = lines(doors)
    name, frames = line.split()
    assert (name, int(frames) >= 2) == ("Obama", True)


def test_a_door_does_not_open_late(program, client, small_photos, tmp_path):
    """Not for who came while the program was killed, nor for what it was doing then."""
    doors = tmp_path / "doors"
    command = [sys.executable, "-c", f"{NOTE}\n{HANG}", str(doors), "begun"]
    door = {"name": "late", "command": command, "opens": True, "persons": ["Obama"], "timeout": 600}
    running = program(door)
    walk_in(client, small_photos["obama3"], "side", running, lambda: lines(doors) == ["begun"])
    running.process.kill()
    running.process.wait()
    before, letters = client.cursor("actions/late"), len(running.read_letters())
    walk_by(client, small_photos["obama3"], "back", ago_s=100)

    def is_told():
        return [one for one in client.events(before)["events"] if one.get("frames", 0) >= 2]

    eventually(is_told, "the event about the past")
    running.start(client)
    eventually(lambda: len(running.read_letters()) > letters, "the letter")
    letter = running.read_letters()[-1]
    assert letter["camera"] == "back"
    assert "opens nothing: the picture is" in letter["reason"]
    assert lines(doors) == ["begun"]


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"sightings": {}}, "onRecognition: is not set"),
        ({"onRecognition": [{"name": "a", "command": ["x"]}]}, "sightings: is not set"),
    ],
)
def test_a_configuration_without_a_purpose_is_refused(tmp_path, settings, fault):
    """With its own exit status, after which systemd does not start it again."""
    (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": settings}))
    done = subprocess.run(
        [*CLI, "actions", "--config", tmp_path / "config.json"],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=300,
    )
    assert done.returncode == 78
    assert fault in done.stderr
