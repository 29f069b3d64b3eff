"""A ZoneMinder that is started once and has recorded events, and a daemon that knows who is in them."""

from __future__ import annotations

import os
import sys

import debian
import pytest
import zoneminder_image
from daemon_fixtures import lasting_daemon
from running import eventually
from zoneminder_server import DEEP, LIVE, MEDIUM, PASSWORD, SHALLOW, USER, VIDEO, ZoneMinder

# They need root and an image: `make test-zoneminder` asks for them, `make test` does not.
collect_ignore_glob = [] if os.environ.get("TEST_ZONEMINDER") else ["test_*.py"]

CLI = (sys.executable, "-m", "face_det.cli.main")
CLIP = ("nobody",) * 4 + ("obama3",) * 8 + ("nobody",) * 3


@pytest.fixture(scope="session")
def daemon(small_photos):
    """A daemon that remembers and knows Obama."""
    with lasting_daemon((*CLI, "serve", "--config"), sightings={}) as daemon:
        client = daemon.client()
        client.add_face("Obama", small_photos["obama"].read_bytes())
        client.close()
        yield daemon


@pytest.fixture(scope="session")
def zoneminder(small_photos, tmp_path_factory):
    """ZoneMinder with cameras of every kind of storage."""
    reason = debian.missing()
    if reason is not None:
        pytest.skip(reason)
    assert zoneminder_image.path().is_dir(), "zoneminder_image.py makes the image first"
    server = ZoneMinder(tmp_path_factory.mktemp("zoneminder"))
    try:
        server.make_clip([small_photos[name] for name in CLIP])
        server.add_monitor(DEEP, "Deep", "Deep")
        server.add_monitor(MEDIUM, "Medium", "Medium")
        server.add_monitor(SHALLOW, "Shallow", "Shallow")
        server.add_monitor(VIDEO, "Video", SaveJPEGs=0, VideoWriter=2, OutputContainer="mp4")
        server.add_monitor(LIVE, "Live")
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def recorded(zoneminder):
    """{camera: an event of it}, all recorded at the same time."""
    cameras = (DEEP, MEDIUM, SHALLOW, VIDEO)
    with zoneminder.recording(*cameras):
        return {camera: eventually(lambda c=camera: zoneminder.ended_event(c)) for camera in cameras}


@pytest.fixture
def settings(zoneminder, tmp_path):
    """What config.json says about ZoneMinder."""
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    return {
        "url": zoneminder.url,
        "user": USER,
        "passwordFile": str(secret),
        "eventsPath": str(zoneminder.events),
        "maxWait": 300,
        "timeout": 300,
    }
