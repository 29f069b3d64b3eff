"""`face-det live --view`: a real window on a virtual display, and real terminals without one."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from camera_server import CameraServer
from daemon_fixtures import lasting_daemon
from running import PATIENCE_S, eventually
from running_here import run_here

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
LIVE = (sys.executable, "-m", "face_det.cli.main", "live", "--view")
GREEN = (0, 120, 50)
"""The box of somebody who is known."""


@pytest.fixture(scope="module")
def photos(small_photos):
    """Small ones, since these tests are not about size."""
    return small_photos


@pytest.fixture(scope="module")
def config(photos, tmp_path_factory):
    """A config.json of a daemon that knows Obama, whose camera `front` shows him."""
    with lasting_daemon(SERVE) as daemon:
        client = daemon.client()
        client.add_face("Obama", photos["obama"].read_bytes())
        client.close()
        server = CameraServer([photos["obama2"].read_bytes()], fps=5)
        path = tmp_path_factory.mktemp("live") / "config.json"
        cameras = {"front": {"url": server.address("mjpeg")}}
        path.write_text(json.dumps({"faceDetServer": {"zerorpcPipe": daemon.endpoint, "cameras": cameras}}))
        yield path
        server.stop()


class Screen:
    """A virtual display, whose pixels are in a file."""

    def __init__(self, folder: Path):
        folder.mkdir()
        self._file = folder / "Xvfb_screen0"
        reading, writing = os.pipe()
        words = ("-screen", "0", "1280x800x24", "-fbdir", folder, "-nolisten", "tcp", "-displayfd", writing)
        log = subprocess.DEVNULL
        self._process = subprocess.Popen(
            ["Xvfb", *map(str, words)], pass_fds=[writing], stdout=log, stderr=log
        )
        os.close(writing)
        with os.fdopen(reading) as said:
            self.display = f":{said.readline().strip()}"

    def pixels(self):
        """What is on it: RGB of shape (H, W, 3), out of a window dump (XWD) with its colours."""
        data = self._file.read_bytes()
        head = struct.unpack(">25I", data[:100])
        start, width, height, line, colours = head[0], head[4], head[5], head[12], head[19]
        start += 12 * colours
        rows = np.frombuffer(data, np.uint8, line * height, start).reshape(height, line)
        return rows[:, : 4 * width].reshape(height, width, 4)[:, :, 2::-1]

    def shows(self, colour):
        return int((self.pixels() == colour).all(axis=2).sum()) > 200

    def stop(self):
        self._process.terminate()
        self._process.wait()


@pytest.fixture
def screen(tmp_path):
    """A display."""
    pytest.importorskip("tkinter", reason="needs Python's tkinter")
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb: apt-get install xvfb")
    made = Screen(tmp_path / "screen")
    yield made
    made.stop()


def without_display():
    return {name: value for name, value in os.environ.items() if name != "DISPLAY"}


def test_a_window_with_boxes_and_names(config, screen):
    """What a camera shows, until Ctrl-C; what changes is printed as well."""
    environ = {**os.environ, "DISPLAY": screen.display}
    process = subprocess.Popen([*LIVE, "--config", config], stdout=subprocess.PIPE, env=environ, text=True)
    try:
        assert "Obama " in process.stdout.readline()
        eventually(lambda: screen.shows(GREEN), "the box of somebody who is known", 300)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.communicate()


# Xlib ends a process whose display goes away, so no window is opened in the tests' own.
PRESS = """
import sys
from face_det.cli import live_view
from face_det.cli.main import run_cli

key, *words = sys.argv[1:]
choose_view = live_view.choose_view


def press(title):
    view = choose_view(title)
    root, show = view._root, view.show

    def strike():
        root.focus_force()
        root.event_generate(key)

    def show_and_press(*seen):
        show(*seen)
        root.after(1, strike)

    view.show = show_and_press
    return view


live_view.choose_view = press
run_cli(words)
"""


@pytest.mark.parametrize("key", ["<Escape>", "q"])
def test_a_window_that_is_closed_ends_it(config, screen, photos, key):
    """A picture stays until then."""
    words = ("live", "--view", "--input", photos["obama2"], "--config", config)
    done = subprocess.run(
        [sys.executable, "-c", PRESS, key, *map(str, words)],
        env={**os.environ, "DISPLAY": screen.display},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Obama " in done.stdout


def test_the_terminal_without_a_display(config):
    """Half blocks of many colours, the name as text, and who is there; Ctrl-C ends it."""
    ours, theirs = pty.openpty()
    environ = {**without_display(), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environ |= {"COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [*LIVE, "--config", config], stdout=theirs, stderr=subprocess.PIPE, env=environ
    )
    os.close(theirs)
    said = ""
    try:
        end = time.monotonic() + 300
        while "s  Obama" not in said and time.monotonic() < end:
            said += read_some(ours)
        process.send_signal(signal.SIGINT)
        while more := read_some(ours):
            said += more
        assert process.wait(PATIENCE_S) == 0, process.stderr.read()
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
    assert said.count("\u2580") > 500
    assert len(set(re.findall(r"38;2;\d+;\d+;\d+", said))) > 50
    letters = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said)
    assert re.search(r"\u2580Obama \d+%\u2580", letters)
    assert said.rstrip().endswith("\x1b[?25h")


def read_some(descriptor):
    """What is written to a terminal; nothing at its end."""
    with contextlib.suppress(OSError):
        if select.select([descriptor], [], [], 60)[0]:
            return os.read(descriptor, 65536).decode("utf-8", "replace")
    return ""


def test_neither_a_display_nor_a_terminal(config, monkeypatch, tmp_path):
    """The error says what there is instead."""
    monkeypatch.delenv("DISPLAY", raising=False)
    done = run_here("live", "--view", "--config", config, cwd=tmp_path)
    assert done.returncode == 70
    assert re.match(r"face-det: --view: needs a display \(.+\) or a terminal; the page shows", done.stderr)
