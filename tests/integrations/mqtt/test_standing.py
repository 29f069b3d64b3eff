"""`face-det doctor` and the daemon's status say how the bridge stands."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import pytest
from bridging import bridge
from daemon_fixtures import lasting_daemon

from face_det.config import load_config
from face_det.doctor import CheckState, check_bridge
from face_det.rpc import AsyncClient

CLI = (sys.executable, "-m", "face_det.cli.main")


def configure(folder, **about):
    """A configuration with these settings in `mqtt`."""
    (folder / "config.json").write_text(json.dumps({"faceDetServer": {"sightings": {}, "mqtt": about}}))
    return load_config(folder / "config.json", {})


def consumers(name, behind, moved=0.0):
    """A daemon's status with one consumer."""
    return {"sightings": {"consumers": {name: {"seq": 1, "behind": behind, "moved": moved}}}}


def test_no_broker_is_a_fault_that_says_what_to_check(tmp_path, free_port):
    """Nobody listens there."""
    (found,) = check_bridge(configure(tmp_path, port=free_port), None)
    assert (found.check, found.state) == ("mqtt", CheckState.NOT_OK)
    assert f"broker 127.0.0.1:{free_port}: " in found.text
    assert "refused" in found.text
    assert "passwordFile" in found.advice


def test_a_bridge_that_is_not_there_is_a_warning(mosquitto, tmp_path):
    """The broker has never heard of it."""
    (found,) = check_bridge(configure(tmp_path, port=mosquitto.port), None)
    assert (found.state, "unknown to it" in found.text) == (CheckState.WARNING, True)
    assert found.advice.startswith("start the bridge")


@pytest.mark.anyio
async def test_a_bridge_that_is_there_is_seen_and_not_disturbed(mosquitto, daemon, tmp_path):
    """It keeps its connection."""
    config = configure(tmp_path, port=mosquitto.port)
    async with bridge(mosquitto, daemon) as made:
        live = made.connection._live
        (found,) = await asyncio.to_thread(lambda: list(check_bridge(config, None)))
        assert (found.state, "is online" in found.text) == (CheckState.OK, True)
        assert made.connection._live is live
    (found,) = await asyncio.to_thread(lambda: list(check_bridge(config, None)))
    assert (found.state, "is offline" in found.text) == (CheckState.WARNING, True)


@pytest.mark.parametrize(
    ("status", "state", "text"),
    [
        ({"sightings": None}, CheckState.NOT_OK, "keeps no events"),
        (consumers("bell", 0), CheckState.WARNING, "never been asked"),
        (
            consumers("mqtt-home", 9),
            CheckState.WARNING,
            "9 events wait",
        ),
        (consumers("mqtt-home", 0), CheckState.OK, "0 events wait"),
    ],
    ids=["no events", "never", "stuck", "fine"],
)
def test_how_far_the_bridge_is(free_port, tmp_path, status, state, text):
    """Waiting events are a warning only if the bridge does not move; no broker is needed to say so."""
    _, found = check_bridge(configure(tmp_path, port=free_port), status)
    assert found.state is state
    assert text in found.text
    moving = consumers("mqtt-home", 9, time.time())
    _, found = check_bridge(configure(tmp_path, port=free_port), moving)
    assert found.state is CheckState.OK
    set_back = consumers("mqtt-home", 9, time.time() + 7200)
    _, found = check_bridge(configure(tmp_path, port=free_port), set_back)
    assert (found.state, "since the clock was set back" in found.text) == (CheckState.WARNING, True)


@pytest.mark.anyio
async def test_the_daemon_knows_how_many_events_wait(mosquitto, small_photos):
    """All of them while the bridge is away, and none soon after it is back."""

    async def standing(client):
        return (await client.call("status"))["sightings"]["consumers"].get("mqtt-home")

    with lasting_daemon((*CLI, "serve", "--config"), sightings={}) as running:
        async with AsyncClient(running.endpoint, timeout_s=300) as client:
            assert await standing(client) is None
            async with bridge(mosquitto, client):
                while await standing(client) is None:
                    await asyncio.sleep(0.05)
            await client.call("recognize", str(small_photos["biden"]), {"camera": "front"})
            while (about := await standing(client))["behind"] < 2:
                await asyncio.sleep(0.05)
            assert about["seq"] == 0
            async with bridge(mosquitto, client):
                while (about := await standing(client))["behind"]:
                    await asyncio.sleep(0.05)
            assert about["seq"] >= 2
            assert time.time() - about["moved"] < 300
