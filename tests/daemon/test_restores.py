"""Restore and clear at a real daemon over its socket, which is killed in the middle of both."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import sys
from pathlib import Path

import forked
import gevent
import pytest
import zerorpc
from daemon_fixtures import lasting_daemon
from running import Daemon

CLI = (sys.executable, "-m", "face_det.cli.main")
KILLED = (sys.executable, str(Path(__file__).parents[1] / "support" / "killed_restore.py"))
SETTINGS = {"faceDetModel": "hog", "numFaceImgUpsample": 0, "embedder": "dlib_resnet", "sightings": {}}


def write(daemon, call, data):
    """Write an archive in parts; its id."""
    for offset in range(0, len(data), 2**20):
        call(daemon, "write_restore", "an-archive", offset, data[offset : offset + 2**20])
    return "an-archive"


@pytest.fixture(scope="module")
def known(small_photos):
    """A daemon's backups: one that knows Obama, with another rate, and one that knows Collins as well."""
    with lasting_daemon((*CLI, "serve", "--config"), **SETTINGS) as daemon:
        client = daemon.client()

        def backup():
            made = client("backup", {"sightings": True})
            return client("read_backup", made["id"], 0, made["bytes"])

        client("add_face", "Obama", str(small_photos["obama"]))
        client("recognize", str(small_photos["obama3"]))
        client("set_false_accept_rate", 0.01)
        first = backup()
        client("set_false_accept_rate", None)
        client("add_face", "Collins", str(small_photos["astronaut"]))
        client("recognize", str(small_photos["astronaut"]))
        yield first, backup()
        client.close()


@pytest.fixture
def started():
    """Start another daemon, by another command, on the files of one that has ended."""
    with contextlib.ExitStack() as stack:

        def start(daemon, *command):
            (daemon.folder / "notify").unlink()
            settings = json.loads(daemon.config.read_text())["faceDetServer"]
            again = Daemon(
                daemon.folder, lambda config: [*command, "serve", "--config", config], settings, {}
            )
            stack.callback(again.stop)
            again.until_notified("READY=1")
            return again

        yield start


def state(daemon, call):
    """Who is enrolled, what was seen, and who decided about the rate."""
    people = [one["name"] for one in call(daemon, "people")]
    seen = sorted(str(one["face"]) for one in call(daemon, "sightings", {})["items"])
    return people, seen, call(daemon, "status")["falseAcceptRate"]["source"]


@pytest.mark.slow
def test_a_killed_restore_or_clear_is_finished_by_the_next_start(launch, call, known, started):
    """Killed before it is decided, the old state stays; later, the new one is there, for commands too."""
    first, second = known
    daemon = launch(command=(*CLI, "serve", "--config"), **SETTINGS)
    answer = call(daemon, "restore", write(daemon, call, second), {})
    assert (answer["people"], answer["photos"], answer["sightings"]) == (2, 2, 2)
    old = (["Collins", "Obama"], ["Collins", "Obama"], "default")
    new = (["Obama"], ["Obama"], "settings")
    assert state(daemon, call) == old
    # At once, without a restart.
    assert call(daemon, "restore", write(daemon, call, first))["settings"] is True
    assert state(daemon, call) == new
    assert call(daemon, "restore", write(daemon, call, second))["settings"] is True
    assert state(daemon, call) == old
    with pytest.raises(zerorpc.RemoteError, match=r"BadRequest.*intact"):
        call(daemon, "restore", write(daemon, call, first[:-1000]))
    lines = [json.loads(line) for line in (daemon.folder / "audit.jsonl").read_text().splitlines()]
    assert [line["outcome"] for line in lines if line["action"] == "restore"][-2:] == ["begun", "BadRequest"]
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0

    def killed(verb, *arguments):
        caller = gevent.spawn(call, daemon, verb, *arguments)
        assert daemon.ended() == -signal.SIGKILL
        caller.kill()

    daemon = started(daemon, *KILLED, "begin")
    killed("restore", write(daemon, call, first))
    assert (daemon.folder / "dataset" / ".face_det-restore").exists()

    daemon = started(daemon, *KILLED, "_move_photos")
    assert state(daemon, call) == old
    assert not (daemon.folder / "dataset" / ".face_det-restore").exists()
    assert [*(daemon.folder / "state" / "backups").glob(".*")] == []
    killed("restore", write(daemon, call, first))

    daemon = started(daemon, *KILLED, "decide")
    assert state(daemon, call) == new
    assert not (daemon.folder / "state" / "restore").exists()
    killed("clear", {"sightings": True})

    command = [*CLI, "people", "--json", "--config", str(daemon.config)]
    told = forked.run(command)
    assert (told.returncode, json.loads(told.stdout)) == (0, []), told.stderr
    assert not (daemon.folder / "state" / "restore").exists()
    with sqlite3.connect(daemon.folder / "state" / "sightings.sqlite") as memory:
        assert memory.execute("SELECT count(*) FROM sighting").fetchone() == (0,)
    memory.close()
