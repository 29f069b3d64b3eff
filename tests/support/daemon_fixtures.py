"""Daemons as separate processes, and clients that are zerorpc's own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import pytest
from running import Daemon, eventually

FAKE = Path(__file__).with_name("fake_daemon.py")


@pytest.fixture
def folder():
    """A temporary folder whose path is short enough for a socket's."""
    path = Path(tempfile.mkdtemp(prefix="fd"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def launch(folder):
    """Start a daemon: launch(queueSize=1, environ={...}, ready=False, args=[...], command=[...])."""
    with contextlib.ExitStack() as stack:
        count = iter(range(100))

        def start(*, command=(sys.executable, FAKE), ready=True, environ=None, args=(), **settings):
            own = folder / str(next(count))
            own.mkdir()
            daemon = Daemon(own, lambda config: [*command, config, *args], settings, environ or {})
            stack.callback(daemon.stop)
            if ready:
                daemon.until_notified("READY=1")
            return daemon

        yield start


@contextlib.contextmanager
def lasting_daemon(command, **settings):
    """A daemon that is ready, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="fd"))
    daemon = Daemon(folder, lambda config: [*command, config], settings, {})
    try:
        daemon.until_notified("READY=1")
        yield daemon
    finally:
        daemon.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def lasting():
    """A daemon for all tests of a module that only ask it: they neither stop nor change it."""
    with lasting_daemon((sys.executable, FAKE), workers=2) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def lasting_real():
    """The same, of the installed daemon, which knows nobody."""
    command = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")
    settings = {"faceDetModel": "hog", "focusMeasureThreshold": 20, "numFaceImgUpsample": 0}
    with lasting_daemon(command, **settings) as daemon:
        yield daemon


@pytest.fixture
def call():
    """call(daemon, verb, *args, **client_options): one call by a client of its own; its answer."""

    def make(daemon, verb, *args, **options):
        client = daemon.client(**options)
        try:
            return client(verb, *args)
        finally:
            client.close()

    return make


@pytest.fixture
def gate(folder):
    """Steps for a call that says when it has begun and goes on only when told to."""

    class Gate:
        steps = ({"touch": str(folder / "begun")}, {"wait_for": str(folder / "open")})

        def begun(self):
            eventually((folder / "begun").exists, "the call to begin")

        def open(self):
            (folder / "open").touch()

    return Gate()


@pytest.fixture
def free_port():
    """A tcp port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
