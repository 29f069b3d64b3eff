"""face-det doctor asks ZoneMinder and Frigate: stand-ins, with a real broker for Frigate's."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.publish as paho
import pytest
from disks import fill
from frigate_api import PASSWORD as FRIGATE_PASSWORD
from frigate_api import USER, FrigateApi
from mosquitto import MOSQUITTO, Mosquitto
from zoneminder_api import PASSWORD, ZoneMinderApi

from face_det.config import Config, load_config
from face_det.doctor import CheckState, check_frigate, check_zoneminder

PASSWD = shutil.which("mosquitto_passwd")


def configured(folder: Path, **sections: Any) -> Config:
    """A configuration with these sections."""
    (folder / "config.json").write_text(json.dumps({"faceDetServer": sections}))
    return load_config(folder / "config.json", {})


def test_what_is_not_configured_is_not_checked(tmp_path: Path) -> None:
    """Most houses have neither."""
    config = configured(tmp_path)
    assert [*check_zoneminder(config), *check_frigate(config, None)] == []


def test_zoneminder_tells_its_version_and_whether_we_may_log_in(tmp_path: Path, free_port: int) -> None:
    """A wrong password and a server that is gone are faults; neither shows the password."""
    api = ZoneMinderApi()
    word = tmp_path / "password"
    word.write_text(PASSWORD)
    about = {"url": api.url, "user": "faces", "passwordFile": str(word)}
    try:
        (found,) = check_zoneminder(configured(tmp_path, zoneminder=about))
        assert (found.state, "version 1.36.33, accepts faces" in found.text) == (CheckState.OK, True)
        _, folder = check_zoneminder(configured(tmp_path, zoneminder={**about, "eventsPath": "/nowhere"}))
        assert (folder.state, "eventsPath /nowhere" in folder.text) == (CheckState.WARNING, True)
        (found,) = check_zoneminder(configured(tmp_path, zoneminder={**about, "eventsPath": str(tmp_path)}))
        assert found.state is CheckState.OK
        word.write_text("wrong word")
        (found,) = check_zoneminder(configured(tmp_path, zoneminder=about))
        assert (found.state, "refuses access (401)" in found.text) == (CheckState.NOT_OK, True)
        assert "wrong word" not in found.text
        api.login = False
        guest = {"url": api.url.replace("//", "//guest:secret@")}
        (found,) = check_zoneminder(configured(tmp_path, zoneminder=guest))
        assert (found.state, found.text.endswith("wants no login")) == (CheckState.OK, True)
        assert "secret" not in found.text
    finally:
        api.shutdown()
        api.server_close()
    (found,) = check_zoneminder(configured(tmp_path, zoneminder={"url": f"http://127.0.0.1:{free_port}/zm"}))
    assert (found.state, "does not answer" in found.text) == (CheckState.NOT_OK, True)


def test_a_disk_without_room_for_pictures_is_told(tmp_path: Path, disk: Callable[..., Path]) -> None:
    """Names still come into the notes, so nobody would notice."""
    api, events = ZoneMinderApi(), disk("size=20m")
    api.login = False
    config = configured(tmp_path, zoneminder={"url": api.url, "eventsPath": str(events)})
    try:
        assert [one.state for one in check_zoneminder(config)] == [CheckState.OK]
        fill(events)
        _, full = check_zoneminder(config)
    finally:
        api.shutdown()
        api.server_close()
    assert (full.state, "its disk has 0 kB left" in full.text) == (CheckState.WARNING, True)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[FrigateApi, Mosquitto, dict[str, Any]]]:
    """A Frigate and a broker that both want a login, and what config.json says about Frigate."""
    if MOSQUITTO is None or PASSWD is None:
        pytest.skip("needs Debian's mosquitto")
    users, word = tmp_path / "users", tmp_path / "password"
    word.write_text(FRIGATE_PASSWORD)
    users.touch(0o600)
    for user in ("bridge", "reader"):
        subprocess.run([PASSWD, "-b", users, user, FRIGATE_PASSWORD], check=True, capture_output=True)
    api = FrigateApi(login=True)
    broker = Mosquitto(tmp_path / "mosquitto", "allow_anonymous false", f"password_file {users}")
    about = {"url": api.url, "user": USER, "passwordFile": str(word), "topicPrefix": "cabin"}
    yield api, broker, {**about, "mqttUser": "reader", "mqttPasswordFile": str(word)}
    broker.stop()
    api.close()


def test_frigate_tells_our_role_and_its_broker_whether_it_is_there(
    tmp_path: Path, house: tuple[FrigateApi, Mosquitto, dict[str, Any]]
) -> None:
    """A viewer may set no sub label; a program that follows it has a lease."""
    api, broker, about = house
    config = configured(tmp_path, frigate=about, mqtt={"port": broker.port, "id": "hut"})
    answers, said = check_frigate(config, None)
    assert (answers.state, answers.text.endswith("answers, role admin")) == (CheckState.OK, True)
    assert (said.state, "cabin/available: nothing" in said.text) == (CheckState.WARNING, True)
    say(broker, "offline")
    api.role = None
    answers, said = check_frigate(config, None)
    assert (answers.state, answers.text.endswith("answers")) == (CheckState.OK, True)
    assert (said.state, "cabin/available: offline" in said.text) == (CheckState.WARNING, True)
    say(broker, "online")
    api.role = "viewer"
    status = {"sightings": {"consumers": {"frigate-hut": {"owner": "nuc"}}}}
    refused, online, runs = check_frigate(config, status)
    assert (refused.state, "takes us for a viewer" in refused.text) == (CheckState.NOT_OK, True)
    assert (online.state, runs.state) == (CheckState.OK, CheckState.OK)
    assert runs.text == "face-det frigate runs on nuc"


def test_a_frigate_that_could_never_be_followed_is_told(
    tmp_path: Path, house: tuple[FrigateApi, Mosquitto, dict[str, Any]], free_port: int
) -> None:
    """Wrong logins, a broker that is gone, and none in the configuration."""
    _, broker, about = house
    (tmp_path / "password").write_text("wrong word")
    config = configured(tmp_path, frigate=about, mqtt={"port": broker.port})
    refused, broker_refuses, idle = check_frigate(config, {"sightings": {}})
    assert (refused.state, "check frigate.user" in refused.text) == (CheckState.NOT_OK, True)
    assert (broker_refuses.state, "Not authorized" in broker_refuses.text) == (CheckState.NOT_OK, True)
    assert (idle.state, idle.advice) == (CheckState.WARNING, "start it: face-det frigate, or face-det up")
    _, gone = check_frigate(configured(tmp_path, frigate=about, mqtt={"port": free_port}), None)
    assert (gone.state, f"broker 127.0.0.1:{free_port}" in gone.text) == (CheckState.NOT_OK, True)
    _, unset = check_frigate(configured(tmp_path, frigate=about), {"sightings": {}})
    assert (unset.state, unset.text[:15]) == (CheckState.NOT_OK, "mqtt is not set")


def say(broker: Mosquitto, payload: str) -> None:
    """Tell, as Frigate does, whether it is there."""
    auth = {"username": "bridge", "password": FRIGATE_PASSWORD}
    paho.single("cabin/available", payload, qos=1, retain=True, port=broker.port, auth=auth)
