"""A daemon that knows Obama, a stand-in for Frigate, and `face-det frigate` between them."""

from __future__ import annotations

import pytest
from daemon_fixtures import lasting_daemon
from frigate_api import FrigateApi, FrigateMessages
from frigate_program import CLI, FrigateProgram, draw_frame


@pytest.fixture(scope="package")
def daemon(small_photos):
    """A daemon that remembers and knows Obama."""
    with lasting_daemon((*CLI, "serve", "--config"), sightings={}) as daemon:
        client = daemon.client()
        client.add_face("Obama", small_photos["obama"].read_bytes())
        client.close()
        yield daemon


@pytest.fixture
def frame(small_photos):
    """frame("obama3", None): a frame with a photo on its left and one on its right."""
    return lambda left=None, right=None: draw_frame(small_photos, left, right)


@pytest.fixture
def api():
    """Frigate's API."""
    server = FrigateApi()
    yield server
    server.close()


@pytest.fixture
def messages(api, mosquitto):
    """What Frigate tells over MQTT."""
    messages = FrigateMessages(api, mosquitto)
    yield messages
    messages.close()


@pytest.fixture
def program(daemon, api, mosquitto, tmp_path):
    """The program, not yet started."""
    program = FrigateProgram(daemon, api, mosquitto, tmp_path)
    yield program
    program.kill()
    # Shown if the test fails.
    print(program.log())


@pytest.fixture
def seen(daemon):
    """seen(id): what the daemon remembers of an event, newest first."""
    client = daemon.client()

    def ask(event_id):
        items = client.sightings({"limit": 500})["items"]
        return [one for one in items if str(one["frame"]).startswith(f"frigate:{event_id}:")]

    yield ask
    client.close()
