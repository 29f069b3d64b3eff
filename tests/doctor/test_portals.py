"""face-det doctor asks ZoneMinder and Frigate: stand-ins, with a real broker for Frigate's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import paho.mqtt.publish as paho
import pytest
from frigate_api import PASSWORD as FRIGATE_PASSWORD
from frigate_api import USER, FrigateApi
from mosquitto import MOSQUITTO, Mosquitto
from zoneminder_api import PASSWORD, ZoneMinderApi

from face_det.config import Config, load_config
from face_det.doctor import CheckState, check_frigate, check_zoneminder


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
        word.write_text("wrong word")
        (found,) = check_zoneminder(configured(tmp_path, zoneminder=about))
        assert (found.state, "refuses access (401)" in found.text) == (CheckState.NOT_OK, True)
        assert "wrong word" not in found.text
    finally:
        api.shutdown()
        api.server_close()
    (found,) = check_zoneminder(configured(tmp_path, zoneminder={"url": f"http://127.0.0.1:{free_port}/zm"}))
    assert (found.state, "does not answer" in found.text) == (CheckState.NOT_OK, True)


@pytest.mark.skipif(MOSQUITTO is None, reason="needs Debian's mosquitto")
def test_frigate_tells_our_role_and_its_broker_whether_it_is_there(tmp_path: Path) -> None:
    """A viewer may set no sub label; a program that follows it has a lease."""
    api, broker = FrigateApi(login=True), Mosquitto(tmp_path / "mosquitto")
    word = tmp_path / "password"
    word.write_text(FRIGATE_PASSWORD)
    about = {"url": api.url, "user": USER, "passwordFile": str(word)}
    config = configured(tmp_path, frigate=about, mqtt={"port": broker.port})
    try:
        answers, said = check_frigate(config, None)
        assert (answers.state, answers.text.endswith("answers, role admin")) == (CheckState.OK, True)
        assert (said.state, "frigate/available: nothing" in said.text) == (CheckState.WARNING, True)
        paho.single("frigate/available", "online", qos=1, retain=True, port=broker.port)
        api.role = "viewer"
        status = {"sightings": {"consumers": {"frigate-home": {"owner": "nuc"}}}}
        refused, online, runs = check_frigate(config, status)
        assert (refused.state, "takes us for a viewer" in refused.text) == (CheckState.NOT_OK, True)
        assert (online.state, runs.state, runs.text) == (
            CheckState.OK,
            CheckState.OK,
            "face-det frigate runs on nuc",
        )
        word.write_text("wrong word")
        refused, *_ = check_frigate(config, {"sightings": {}})
        assert (refused.state, "check frigate.user" in refused.text) == (CheckState.NOT_OK, True)
    finally:
        broker.stop()
        api.close()
