"""A daemon, a stand-in for ZoneMinder with its events, and `face-det zm-event` for it and the real server."""

from __future__ import annotations

import json
import subprocess
import sys

import PIL.Image
import pytest
from daemon_fixtures import lasting_daemon
from zoneminder_api import PASSWORD, USER, ZoneMinderApi

CLI = (sys.executable, "-m", "face_det.cli.main")
START = "2026-11-30 06:07:08"
PLACES = {"Deep": "3/26/11/30/06/07/08", "Medium": "3/2026-11-30/{}", "Shallow": "3/{}"}


@pytest.fixture(scope="package")
def daemon(small_photos):
    """A daemon that remembers and knows Obama."""
    with lasting_daemon((*CLI, "serve", "--config"), sightings={}) as daemon:
        client = daemon.client()
        client.add_face("Obama", small_photos["obama"].read_bytes())
        client.close()
        yield daemon


@pytest.fixture
def portal():
    """ZoneMinder's API."""
    server = ZoneMinderApi()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(portal, tmp_path):
    """What config.json says about ZoneMinder."""
    secret, events = tmp_path / "password", tmp_path / "events"
    secret.write_text(PASSWORD + "\n")
    events.mkdir()
    return {
        "url": portal.url,
        "user": USER,
        "passwordFile": str(secret),
        "eventsPath": str(events),
        "maxWait": 300,
    }


@pytest.fixture
def record(portal, settings, small_photos, tmp_path):
    """Make an event of these photos, one a frame; the folder that it is in."""

    def make(eid, photos=("nobody", "obama3", "obama3"), scheme="Medium", ended=True, told=True):
        folder = tmp_path / "events" / PLACES[scheme].format(eid)
        folder.mkdir(parents=True)
        portal.events[eid] = {
            "Id": eid,
            "MonitorId": 3,
            "StartDateTime": START,
            "EndDateTime": START if ended else None,
            "Scheme": scheme,
            "Frames": 20,
            "Length": "10.00",
            "SaveJPEGs": 1,
            "DefaultVideo": "",
            "Notes": "Motion: All",
            "FileSystemPath": str(folder) if told else "/elsewhere",
        }
        for number, photo in enumerate(photos, 1):
            with PIL.Image.open(small_photos[photo]) as picture:
                picture.convert("RGB").save(folder / f"{number:05d}-capture.jpg", quality=95)
        return folder

    return make


@pytest.fixture
def zm_event(daemon, settings, tmp_path):
    """Run the command; its exit status, its JSON and what it says on stderr."""

    def run(*arguments, **changed):
        about = {"zerorpcPipe": daemon.endpoint, "zoneminder": {**settings, **changed}}
        (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": about}))
        command = (*CLI, "zm-event", *map(str, arguments), "--json", "--config", tmp_path / "config.json")
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        return done.returncode, json.loads(done.stdout or "null"), done.stderr

    return run
