"""One real daemon and one gateway for all tests of this folder; they clear up after themselves."""

from __future__ import annotations

import shutil
import sys

import pytest
from daemon_fixtures import lasting_daemon
from gateway_fixtures import lasting_gateway

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")


@pytest.fixture(scope="session")
def photos(small_photos):
    """Small ones: nothing here is about the size of photos."""
    return small_photos


@pytest.fixture(scope="session")
def gallery_daemon(photos, tmp_path_factory):
    """A daemon that remembers, knows Obama, and may read the photos by their paths."""
    roots = tmp_path_factory.mktemp("roots")
    for name in ("obama3", "biden", "t1", "nobody"):
        shutil.copy(photos[name], roots / f"{name}{photos[name].suffix}")
    with lasting_daemon(SERVE, sightings={}, imageRoots=[str(roots)]) as daemon:
        daemon.roots = roots
        client = daemon.client()
        client.add_face("Obama", photos["obama"].read_bytes())
        client.close()
        yield daemon


@pytest.fixture(scope="session")
def door(tmp_path_factory):
    """The picture file that the camera `door` shows; tests write what they want it to show."""
    return tmp_path_factory.mktemp("door") / "door.jpg"


@pytest.fixture(scope="session")
def web(gallery_daemon, door, tmp_path_factory):
    """A client of a gateway with two cameras: `door` shows a file, and `gone` does not exist."""
    cameras = {"door": {"url": door.as_uri()}, "gone": {"url": "http://127.0.0.1:9/snapshot.jpg"}}
    folder = tmp_path_factory.mktemp("web")
    roots = [str(gallery_daemon.roots)]
    with lasting_gateway(folder, gallery_daemon.endpoint, cameras=cameras, imageRoots=roots) as client:
        yield client


@pytest.fixture(scope="session")
def stand_in(gallery_daemon, tmp_path_factory):
    """A client of a gateway that stands in for every server it can."""
    folder = tmp_path_factory.mktemp("stand-in")
    http = {"standIns": ["compreface", "deepstack"]}
    with lasting_gateway(folder, gallery_daemon.endpoint, http=http) as client:
        yield client


@pytest.fixture(scope="module")
def anew(gallery_daemon, photos):
    """The daemon knows Obama and has seen nobody, whatever other modules have left behind."""
    client = gallery_daemon.client()
    client("clear", {"sightings": True})
    client.add_face("Obama", photos["obama"].read_bytes())
    client.close()


@pytest.fixture
def nobody_else(web):
    """Whoever is enrolled beside Obama when the test ends is forgotten."""
    yield
    for person in web.get("/api/v1/people").json()["people"]:
        if person["name"] != "Obama":
            web.post(f"/api/v1/people/{person['name']}/forget")
