"""A daemon without faces, and `face-det watch` as a separate process."""

from __future__ import annotations

import contextlib
import sys

import pytest
from camera_server import CameraServer, small_pictures
from daemon_fixtures import FAKE, lasting_daemon
from watching import Watch


@pytest.fixture(scope="module")
def pictures(photos):
    """Two small photos as JPEGs."""
    return small_pictures(photos["obama"], photos["biden"])


@pytest.fixture
def server(pictures):
    """A server of cameras that speak http."""
    made = CameraServer(pictures)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def lasting_fake():
    """The daemon."""
    with lasting_daemon((sys.executable, FAKE), workers=2, zerorpcHeartBeat=2000) as daemon:
        yield daemon


@pytest.fixture
def daemon(lasting_fake):
    """The same, which has not been asked anything yet."""
    folder = lasting_fake.folder
    for name in ("FOLLOWED.txt", "hold", "slow", "fail"):
        (folder / name).unlink(missing_ok=True)
    yield lasting_fake
    for name in ("hold", "slow", "fail"):
        (folder / name).unlink(missing_ok=True)


@pytest.fixture
def watch(tmp_path):
    """watch(daemon, front={"url": ...}): the process, which has begun."""
    with contextlib.ExitStack() as stack:

        def start(daemon, **cameras):
            made = Watch(tmp_path, daemon.endpoint, cameras)
            stack.callback(made.stop)
            made.until_logged("ready: watching")
            return made

        yield start
