"""The app for Home Assistant: its configuration by the rules of the documentation, and its start.

The rules were written from https://developers.home-assistant.io/docs/apps/configuration. No image is
built, and no Supervisor runs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

import face_det
from face_det.config import load_config

APP = Path(__file__).parents[2] / "docker/home-assistant/face_det"
CONFIG = yaml.safe_load((APP / "config.yaml").read_text("utf-8"))
REQUIRED = {"name": str, "version": str, "slug": str, "description": str, "arch": list}
OPTIONAL = {
    **dict.fromkeys(("url", "webui", "homeassistant", "hassio_role", "image", "ingress_entry"), str),
    **dict.fromkeys(("panel_icon", "panel_title", "backup_pre", "backup_post", "watchdog"), str),
    **dict.fromkeys(("host_network", "hassio_api", "homeassistant_api", "ingress", "ingress_stream"), bool),
    **dict.fromkeys(("panel_admin", "init", "tmpfs", "auth_api", "video", "usb", "full_access"), bool),
    **dict.fromkeys(("devices", "privileged", "map", "services", "discovery", "backup_exclude"), list),
    **dict.fromkeys(("ports", "ports_description", "environment", "options", "schema"), dict),
    **dict.fromkeys(("timeout", "ingress_port"), int),
    **dict.fromkeys(("startup", "boot", "backup", "stage"), str),
}
CHOICES = {
    "startup": {"initialize", "system", "services", "application", "once"},
    "boot": {"auto", "manual", "manual_only"},
    "backup": {"hot", "cold"},
    "stage": {"stable", "experimental", "deprecated"},
}
MAPS = {
    "homeassistant_config",
    "addon_config",
    "all_addon_configs",
    "addons",
    "ssl",
    "backup",
    "share",
    "media",
    "data",
}
"""What every Supervisor since 2023.11 knows; those of 2026 also know names with `app`."""
RANGE = r"(\((-?\d+)?,(-?\d+)?\))?"
OPTION_TYPE = re.compile(
    rf"(str{RANGE}|bool|int{RANGE}|float{RANGE}|email|url|password|port|match\(.+\)|list\([^|]+(\|[^|]+)*\)"
    r"|device(\(.+\))?)\??"
)


def leaves(schema):
    """The types in a schema, and how deep each is."""
    for value in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(value, str):
            yield value, 0
        else:
            yield from ((leaf, depth + 1) for leaf, depth in leaves(value))


def test_every_key_is_one_that_the_documentation_knows():
    """With the type that it has there, and one of its choices."""
    assert set(REQUIRED) <= set(CONFIG)
    for key, value in CONFIG.items():
        kind = {**REQUIRED, **OPTIONAL}[key]
        assert type(value) is kind, key
        assert value in CHOICES.get(key, {value} if isinstance(value, str) else [value]), key
    assert set(CONFIG["arch"]) <= {"amd64", "aarch64"}
    assert re.fullmatch(r"[a-z0-9_-]+", CONFIG["slug"])
    assert CONFIG["version"] == face_det.__version__
    assert {one["type"] for one in CONFIG["map"]} <= MAPS
    for service in CONFIG["services"]:
        assert re.fullmatch("(mqtt|mysql):(provide|want|need)", service)


def test_the_options_have_types_and_those_with_a_default_are_required():
    """An option that may be missing has no default; a schema is at most two deep."""
    types = list(leaves(CONFIG["schema"]))
    for kind, depth in types:
        assert OPTION_TYPE.fullmatch(kind), kind
        assert depth <= 2
    assert set(CONFIG["options"]) <= set(CONFIG["schema"])
    for name, kind in CONFIG["schema"].items():
        if isinstance(kind, str):
            assert kind.endswith("?") == (name not in CONFIG["options"]), name


def test_every_option_is_explained():
    """In the translation, and on the page of the documentation."""
    told = yaml.safe_load((APP / "translations/en.yaml").read_text("utf-8"))
    assert set(told) <= {"configuration", "network"}
    assert set(told["configuration"]) == set(CONFIG["schema"])
    assert set(told["configuration"]["cameras"]["fields"]) == set(CONFIG["schema"]["cameras"][0])
    for about in told["configuration"].values():
        assert set(about) <= {"name", "description", "fields"}
    page = (APP / "DOCS.md").read_text("utf-8")
    assert set(CONFIG["schema"]) <= set(re.findall(r"`(\w+)`", page))


def test_the_health_that_is_watched_is_at_the_port_of_ingress():
    """At a route of ours that asks for no login."""
    from face_det.gateway.security.access import PUBLIC_PATHS

    address = re.fullmatch(r"http://\[HOST\]:\[PORT:(\d+)\](/.*)", CONFIG["watchdog"])
    assert int(address[1]) == CONFIG["ingress_port"]
    assert address[2] in PUBLIC_PATHS


def test_the_image_has_the_labels_and_a_base_of_its_own():
    """BUILD_FROM is not given any more, so each FROM names an image and a version of it."""
    text = (APP / "Dockerfile").read_text("utf-8")
    assert "BUILD_FROM" not in text
    for base in re.findall(r"^FROM (\S+)", text, re.M):
        assert re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*", base), base
    assert {"io.hass.type", "io.hass.version", "io.hass.arch"} <= set(re.findall(r"io\.hass\.\w+", text))
    for copied in re.findall(r"^COPY (?!--from)(\S+)", text, re.M):
        assert copied == "face_det.tar.gz" or (APP / copied).exists(), copied


class Supervisor(ThreadingHTTPServer):
    """Answers where the broker is, or that there is none, to whoever has the token."""

    daemon_threads = True

    def __init__(self, broker):
        self.broker = broker
        super().__init__(("127.0.0.1", 0), _Answers)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Answers(BaseHTTPRequestHandler):
    def log_message(self, *about):
        pass

    def do_GET(self):
        known = self.headers["Authorization"] == "Bearer token"
        found = known and self.path == "/services/mqtt" and self.server.broker is not None
        self.send_response(200 if found else 400)
        self.end_headers()
        self.wfile.write(json.dumps({"result": "ok", "data": self.server.broker}).encode())


@pytest.fixture
def start(tmp_path):
    """start(options, broker): run the script as the image does; the settings with which face-det starts."""
    programs, data, own = (tmp_path / name for name in ("bin", "data", "config"))
    for folder in (programs, data, own):
        folder.mkdir()
    (programs / "face-det").write_text('#!/bin/sh\necho "$@"\n')
    (programs / "face-det").chmod(0o755)

    def run(options, broker=None, fails=False):
        server = Supervisor(broker)
        (data / "options.json").write_text(json.dumps({**CONFIG["options"], **options}))
        command = [sys.executable, APP / "run.py", data, own, f"http://127.0.0.1:{server.server_port}"]
        environ = {"PATH": f"{programs}:/usr/bin:/bin", "SUPERVISOR_TOKEN": "token"}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)
        server.shutdown()
        server.server_close()
        if fails:
            assert done.returncode == 1
            return done.stderr
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"up --config {data}/config.json\n"
        return load_config(data / "config.json", {})

    run.own = own / "config.json"
    return run


def test_it_starts_without_any_option(start):
    """Everything is kept in the data folder, and ingress alone needs no login."""
    config = start({})
    data = start.own.parents[1] / "data"
    assert (config.http.host, config.http.port) == ("0.0.0.0", CONFIG["ingress_port"])
    assert config.http.ingress_address == "172.30.32.2"
    assert config.sightings is not None
    assert (config.mqtt, config.frigate, config.cameras) == (None, None, {})
    for path in (config.dataset_path, config.model_path, config.state_path, config.http.credentials_path):
        assert path.is_relative_to(data)


def test_the_broker_that_home_assistant_knows_is_used(start):
    """With its login, whose password is in a file of its own."""
    broker = {
        "host": "core-mosquitto",
        "port": 1883,
        "ssl": False,
        "username": "addons",
        "password": "s3cret",
    }
    config = start({}, broker)
    assert (config.mqtt.host, config.mqtt.port, config.mqtt.user) == ("core-mosquitto", 1883, "addons")
    secret = config.mqtt.password_file
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("s3cret", 0o600)
    assert "s3cret" not in (secret.parent / "config.json").read_text()
    assert start({"mqtt": False}, broker).mqtt is None


def test_cameras_frigate_and_the_users_own_settings(start):
    """What the options cannot say comes from the user's config.json."""
    changed = {"minProba": 0.9, "logLevel": "error", "http": {"standIns": ["pyzm"]}}
    start.own.write_text(json.dumps({"faceDetServer": changed}))
    address = "rtsp://user:password@192.168.1.21:554/stream1"
    config = start(
        {
            "cameras": [
                {"name": "front", "url": address, "live": True},
                {"name": "back", "url": "http://x/y"},
            ],
            "frigate_url": "https://ccab4aaf-frigate:8971",
            "frigate_user": "faces",
            "frigate_password": "s3cret",
            "frigate_verify_tls": False,
            "log_level": "debug",
        }
    )
    assert (config.cameras["front"].url, config.cameras["front"].live) == (address, True)
    assert not config.cameras["back"].live
    assert (config.frigate.user, config.frigate.verify_tls) == ("faces", False)
    assert config.frigate.password_file.read_text() == "s3cret"
    assert (config.min_proba, config.log_level) == (0.9, "error")
    assert (config.http.stand_ins, config.http.ingress_address) == (("pyzm",), "172.30.32.2")


@pytest.mark.parametrize("text", ["{", "[]", '{"minProba": 0.9}', '{"faceDetServer": 7}'])
def test_a_slip_in_the_users_own_settings_is_one_line(start, text):
    """It says which file, and what must be in it."""
    start.own.write_text(text)
    said = start({"mqtt": False}, fails=True)
    assert said.startswith(f"{start.own}: ")
    assert "faceDetServer" in said
    assert said.count("\n") == 1
