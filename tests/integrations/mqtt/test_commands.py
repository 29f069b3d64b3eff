"""Commands change who is known, if they are switched on, new, and well formed."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

import pytest
from bridging import bridge, soon, vanish
from daemon_fixtures import lasting_daemon
from mosquitto import Listener, until

from face_det.errors import CameraFailed
from face_det.rpc import AsyncClient

pytestmark = pytest.mark.anyio
CLI = (sys.executable, "-m", "face_det.cli.main")
COMMAND, RESULT = "face_det/home/command", "face_det/home/result"


async def no_picture(camera):
    """A camera that is off."""
    raise CameraFailed(f"camera {camera}: is off")


async def ask(listener, command, payload, *, retain=False):
    """The result of a command."""
    before = len(listener.of(RESULT))
    listener.client.publish(f"{COMMAND}/{command}", payload, qos=1, retain=retain)
    await soon(lambda: len(listener.of(RESULT)) > before, "the result")
    return json.loads(listener.of(RESULT)[-1])


@pytest.mark.parametrize(
    ("command", "payload", "error"),
    [
        ("enrol", "{", "BadRequest: payload: must be JSON, got b'{'"),
        ("enrol", "[]", "BadRequest: payload: must be an object, got b'[]'"),
        ("enrol", '{"name": "A"}', "BadRequest: payload: must have name, camera and may have id, got name"),
        ("enrol", '{"name": "A", "camera": 1}', "BadRequest: payload.camera: must be text, got int"),
        (
            "enrol",
            '{"name": "\\ud800", "camera": "front"}',
            "BadRequest: payload.name: must be valid Unicode, got half of a surrogate pair",
        ),
        ("train", '{"id": [1]}', "BadRequest: payload.id: must be text or a whole number, got list"),
        ("train", '{"x": 1}', "BadRequest: payload: must have nothing and may have id, got x"),
        ("dance", "", "BadRequest: command: must be one of enrol, train, ignore, got 'dance'"),
        ("train", "x" * 5000, "BadRequest: payload: must have at most 4096 bytes, got 5000"),
        ("enrol", '{"name": "A", "camera": "front"}', "CameraFailed: camera front: is off"),
    ],
)
async def test_what_is_wrong_with_a_command_is_its_result(
    mosquitto, daemon, listener, command, payload, error
):
    """And the bridge goes on; the daemon hears nothing of it."""
    async with bridge(mosquitto, daemon, fetch_picture=no_picture):
        result = await ask(listener, command, payload)
    assert result == {"command": command, "id": None, "ok": False, "answer": None, "error": error}


async def test_a_retained_command_is_refused_old_or_new(mosquitto, daemon, listener, caplog):
    """It would be carried out again at each connection."""
    async with bridge(mosquitto, daemon, fetch_picture=no_picture):
        result = await ask(listener, "ignore", '{"unknown": "unknown-1", "id": 7}', retain=True)
        assert (result["ok"], result["id"]) == (False, 7)
        assert "retained" in result["error"]
    listener.messages.clear()
    async with bridge(mosquitto, daemon, fetch_picture=no_picture):
        await soon(lambda: listener.of(RESULT))
    assert "retained" in json.loads(listener.of(RESULT)[0])["error"]
    assert "command ignore: BadRequest: it is retained" in caplog.text


async def test_a_command_from_while_nobody_listened_is_refused(mosquitto, daemon, listener):
    """Who knows who is at the camera now."""
    async with bridge(mosquitto, daemon, fetch_picture=no_picture):
        pass
    listener.client.publish(f"{COMMAND}/train", "", qos=1).wait_for_publish(300)
    async with bridge(mosquitto, daemon, fetch_picture=no_picture):
        await soon(lambda: listener.of(RESULT))
    assert "sent while face-det mqtt was not connected" in json.loads(listener.of(RESULT)[0])["error"]


async def test_a_command_to_a_bridge_that_has_just_said_online_is_carried_out(mosquitto, daemon, listener):
    """It has more to tell then, but everything that the broker had kept for it has come."""
    gate, refusals = asyncio.Event(), []
    async with bridge(mosquitto, daemon, fetch_picture=no_picture) as made:
        tell, take = made._tell_everything, made._take_command

        async def tell_slowly():
            await tell()
            await gate.wait()

        def take_and_note(message):
            take(message)
            refusals.append(made._commands.get_nowait()[1])

        made._tell_everything, made._take_command = tell_slowly, take_and_note
        vanish(made)
        await soon(lambda: listener.of("face_det/home/status")[-2:] == [b"offline", b"online"])
        listener.client.publish(f"{COMMAND}/train", "", qos=1)
        await soon(lambda: refusals)
        gate.set()
    assert refusals == [None]


async def test_a_command_that_the_broker_kept_while_the_connection_was_lost_is_refused(
    mosquitto, daemon, listener
):
    """The bridge was there all the time, but heard it too late."""
    gate = asyncio.Event()
    async with bridge(mosquitto, daemon, fetch_picture=no_picture) as made:
        connect = made.connection._connect

        async def wait_and_connect():
            await gate.wait()
            return await connect()

        made.connection._connect = wait_and_connect
        vanish(made)
        await soon(lambda: not made.connection.usable)
        sent = listener.client.publish(f"{COMMAND}/train", '{"id": "\\ud800"}', qos=1)
        await soon(sent.is_published)
        gate.set()
        await soon(lambda: listener.of(RESULT))
    result = json.loads(listener.of(RESULT)[0])
    assert "sent while face-det mqtt was not connected" in result["error"]
    assert result["id"] == "\ud800"


async def test_commands_are_ignored_unless_they_are_switched_on(mosquitto, daemon, listener):
    """Nothing is said to them, and nothing is done."""
    async with bridge(mosquitto, daemon):
        listener.client.publish(f"{COMMAND}/train", "", qos=1)
        daemon.append()
        await soon(lambda: listener.of("face_det/home/front/event"))
    assert not listener.of(RESULT)


async def test_commands_reach_the_daemon_and_its_audit_log(mosquitto, listener, small_photos, caplog):
    """Enrol whoever is at the camera, train, ignore a stranger; each leaves lines in the audit log."""
    caplog.set_level(logging.INFO)

    async def fetch(camera):
        assert camera == "front"
        return small_photos["obama"].read_bytes()

    with lasting_daemon((*CLI, "serve", "--config"), sightings={}) as running:
        async with AsyncClient(running.endpoint, timeout_s=300) as client:
            async with bridge(mosquitto, client, fetch_picture=fetch):
                result = await ask(listener, "enrol", '{"name": "Obama", "camera": "front", "id": "a"}')
                assert result["ok"], result
                assert (result["id"], result["answer"]["images"]) == ("a", 1)
                for _ in range(2):
                    await client.call("recognize", str(small_photos["biden"]), {"camera": "front"})
                while not (unknown := await client.call("unknowns")):
                    await asyncio.sleep(0.1)
                result = await ask(listener, "ignore", json.dumps({"unknown": unknown[0]["id"]}))
                assert result["ok"], result
                assert await client.call("unknowns") == []
                result = await ask(listener, "train", "")
                assert result["ok"], result
                assert result["answer"]["people"] == ["Obama"]
            assert [one["name"] for one in await client.call("people")] == ["Obama"]
            audit = (await client.call("status"))["audit"]["path"]
        with open(audit, encoding="utf-8") as lines:  # noqa: PTH123 - a name from the daemon
            noted = [(one["action"], one["outcome"]) for one in map(json.loads, lines)]
    for action in ("enrol", "ignore", "train"):
        assert (action, "begun") in noted
        assert (action, "done") in noted
    assert "command enrol: done" in caplog.text


@pytest.mark.slow
def test_the_program_enrols_from_a_camera_of_its_configuration(mosquitto, small_photos, tmp_path, folder):
    """`face-det mqtt` asks the camera for a picture, here a file."""
    import subprocess

    with lasting_daemon((*CLI, "serve", "--config"), sightings={}) as running:
        about = {
            "zerorpcPipe": running.endpoint,
            "sightings": {},
            "mqtt": {"port": mosquitto.port, "commands": True},
            "cameras": {"front": {"url": f"file://{small_photos['obama']}"}},
        }
        (tmp_path / "config.json").write_text(json.dumps({"faceDetServer": about}))
        listener = Listener(mosquitto)
        program = subprocess.Popen([*CLI, "mqtt", "--config", tmp_path / "config.json"])
        try:
            until(lambda: listener.of("face_det/home/status") == [b"online"])
            listener.client.publish(f"{COMMAND}/enrol", '{"name": "Obama", "camera": "front"}', qos=1)
            until(lambda: listener.of(RESULT), "the result")
            result = json.loads(listener.of(RESULT)[0])
            assert result["ok"], result
            client = running.client()
            assert [one["name"] for one in client.people()] == ["Obama"]
            client.close()
        finally:
            program.terminate()
            program.wait(300)
            listener.close()
