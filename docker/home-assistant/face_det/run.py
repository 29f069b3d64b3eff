"""Turns the options of the Home Assistant app into config.json, and runs face_det.

Usage: run.py DATA CONFIG SUPERVISOR. DATA is the persistent folder, CONFIG the one that the user can write
to, and SUPERVISOR the address of the Supervisor.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

INGRESS = {"host": "0.0.0.0", "port": 8099, "ingressAddress": "172.30.32.2"}
"""Home Assistant's ingress connects from that address, with users who have logged in; others need a token."""
TIMEOUT_S = 10.0

Json = dict[str, Any]


def find_broker(supervisor: str, token: str) -> Json | None:
    """Return the MQTT broker that the Supervisor knows, or None if there is none."""
    asked = urllib.request.Request(
        f"{supervisor}/services/mqtt", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:
            broker: Json = json.load(answer)["data"]
            return broker
    except (urllib.error.URLError, OSError, ValueError, KeyError) as error:
        advice = "install the Mosquitto app, or set mqtt to false"
        print(f"no MQTT: the Supervisor knows no broker: {error}; {advice}", file=sys.stderr)
        return None


def keep_secret(data: Path, name: str, secret: str) -> str:
    """Write a password to a file that nobody else can read; return its path."""
    path = data / name
    path.touch(0o600)
    path.chmod(0o600)
    path.write_text(secret, "utf-8")
    return str(path)


def describe_broker(data: Path, broker: Json) -> Json:
    """Return the settings in `mqtt` for a broker, as the Supervisor describes it."""
    settings: Json = {"host": broker["host"], "port": int(broker["port"]), "tls": bool(broker.get("ssl"))}
    if broker.get("username"):
        secret = keep_secret(data, "mqtt-password", broker.get("password") or "")
        settings.update(user=broker["username"], passwordFile=secret)
    return settings


def describe_frigate(data: Path, options: Json) -> Json:
    """Return the settings in `frigate`."""
    settings: Json = {"url": options["frigate_url"], "verifyTls": options.get("frigate_verify_tls", True)}
    if options.get("frigate_user"):
        secret = keep_secret(data, "frigate-password", options.get("frigate_password") or "")
        settings.update(user=options["frigate_user"], passwordFile=secret)
    return settings


def make_settings(data: Path, own: Path, options: Json, broker: Json | None) -> Json:
    """Return config.json's settings; those in the user's own config.json replace ours."""
    cameras = {
        camera["name"]: {"url": camera["url"], "live": camera.get("live", False)}
        for camera in options.get("cameras", [])
    }
    settings: Json = {
        "sightings": {},
        "cameras": cameras,
        "logLevel": options.get("log_level", "info"),
    }
    if broker is not None:
        settings["mqtt"] = describe_broker(data, broker)
    if options.get("frigate_url"):
        settings["frigate"] = describe_frigate(data, options)
    changed = read_own(own)
    # Ingress must find us whatever else is said about http.
    http = {**INGRESS, **changed["http"]} if isinstance(changed.get("http"), dict) else INGRESS
    return {**settings, **changed, "http": http}


def read_own(path: Path) -> Json:
    """Return the settings in the user's config.json, if there is one; end the program if it has none."""
    if not path.exists():
        return {}
    try:
        settings = json.loads(path.read_text("utf-8"))["faceDetServer"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{path}: must be JSON with settings in faceDetServer: {type(error).__name__}: {error}")
    if not isinstance(settings, dict):
        sys.exit(f"{path}: faceDetServer must be an object, got {type(settings).__name__}")
    return settings


def run(data: Path, config: Path, supervisor: str) -> None:
    """Write config.json, and become `face-det up`."""
    options: Json = json.loads((data / "options.json").read_text("utf-8"))
    token = os.environ.get("SUPERVISOR_TOKEN", "")
    broker = find_broker(supervisor, token) if options.get("mqtt", True) else None
    settings = make_settings(data, config / "config.json", options, broker)
    text = json.dumps({"faceDetServer": settings}, indent=4)
    (data / "config.json").write_text(text, "utf-8")
    os.execvp("face-det", ["face-det", "up", "--config", str(data / "config.json")])


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
