"""`face-det watch` as a program: good and bad cameras, and a daemon that goes and comes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import eventually
from running_here import run_here
from watching import followed


def cameras_of(daemon):
    return {one["camera"] for one in followed(daemon)}


def status(watch, *words):
    """What `face-det watch --status` prints."""
    command = [
        sys.executable,
        "-m",
        "face_det.cli.main",
        "watch",
        "--status",
        *words,
        "--config",
        watch.config,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_good_cameras_are_watched_whatever_the_others_do(daemon, server, watch, call, free_port):
    """Dead, silent, lying and babbling ones are lost, each with its reason; nobody sees a password."""
    silent = socket.create_server(("127.0.0.1", 0))
    before = time.time()
    running = watch(
        daemon,
        door={"url": server.address("basic", "me:s3cret")},
        yard={"url": server.address("snapshot.jpg")},
        dead={"url": f"http://me:s3cret@127.0.0.1:{free_port}/x"},
        silent={"url": f"rtsp://me:s3cret@127.0.0.1:{silent.getsockname()[1]}/x"},
        lying={"url": server.address("html")},
        babbling={"url": server.address("garbage")},
        elsewhere={"url": server.address("redirect")},
    )
    eventually(lambda: cameras_of(daemon) == {"door", "yard"}, "pictures of both")
    for name, why in {
        "dead": "ConnectError",
        "lying": "no picture",
        "babbling": "something else",
        "elsewhere": "redirects elsewhere",
        "silent": "lost",
    }.items():
        running.until_logged(f"camera {name}: lost")
        assert why in running.log
    assert cameras_of(daemon) == {"door", "yard"}
    assert all(before <= one["time"] <= one["at"] for one in followed(daemon))
    known = eventually(lambda: call(daemon, "status")["cameras"], "a report")
    assert {name for name, about in known.items() if about["state"] == "fine"} == {"door", "yard"}
    shown = status(running)
    assert "door: fine; " in shown
    assert "dead: lost (must answer over http, got ConnectError); 0 received" in shown
    assert set(json.loads(status(running, "--json"))) == set(known)
    seen = [running.log, shown, str(known)]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"PPid:\t{running.process.pid}\n" in (folder / "status").read_text():
                seen.append((folder / "cmdline").read_text())
        except OSError:
            continue
    assert "s3cret" not in "".join(seen)
    assert running.stop(signal.SIGINT) == 0
    assert "stopped" in running.log
    silent.close()


def test_the_daemon_goes_and_comes_back(launch, server, watch):
    """Nothing is sent meanwhile, and afterwards only what is new."""
    daemon = launch(zerorpcHeartBeat=2000)
    running = watch(daemon, door={"url": server.address("mjpeg")})
    eventually(lambda: followed(daemon), "the first picture")
    daemon.stop()
    running.until_logged("the daemon does not answer")
    count = len(followed(daemon))
    back = time.time()
    restarted = subprocess.Popen(daemon._argv(daemon.config), env={**os.environ}, stderr=subprocess.DEVNULL)
    try:
        running.until_logged("the daemon answers again")
        assert all(back - 2 <= one["time"] for one in followed(daemon)[count:])
    finally:
        restarted.kill()
        restarted.wait()


@pytest.mark.slow
def test_a_camera_comes_back(daemon, server, watch):
    """It is connected again, and that is logged."""
    running = watch(daemon, door={"url": server.address("mjpeg")})
    running.until_logged("camera door: pictures come")
    server.broken.set()
    running.until_logged("camera door: lost: must answer 200 with a picture, got 503")
    server.broken.clear()
    running.until_logged("camera door: is back")


def test_without_a_live_camera_it_does_not_start(tmp_path):
    """The error says what to set."""
    done = run_here("watch", cwd=tmp_path)
    assert done.returncode == 78
    assert 'cameras: none is live; set "live": true' in done.stderr
