"""Home Assistant itself, in an environment of its own in .cache, which this file makes as a command."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from mosquitto import MOSQUITTO, PATIENCE_S, until

REQUIREMENTS = Path(__file__).with_name("home_assistant.txt")
CACHE = Path(__file__).parents[2] / ".cache"
PYTHONS = ((3, 11), (3, 12))
"""What the version in REQUIREMENTS can be installed with."""
USER, LOGIN, SECRET = "1" * 32, "2" * 32, "3" * 128
FILES = {
    "auth": (
        1,
        {
            "users": [
                {
                    **{"id": USER, "name": "Test", "group_ids": ["system-admin"], "is_owner": True},
                    **{"is_active": True, "system_generated": False, "local_only": False},
                }
            ],
            "groups": [{"id": "system-admin", "name": "Administrators"}],
            "credentials": [],
            "refresh_tokens": [
                {
                    **{"id": LOGIN, "user_id": USER, "client_id": None, "client_name": "test"},
                    **{"client_icon": None, "token_type": "long_lived_access_token"},
                    **{"created_at": "2024-01-01T00:00:00+00:00", "access_token_expiration": 1e9},
                    **{"token": SECRET, "jwt_key": SECRET, "last_used_at": None, "last_used_ip": None},
                    **{"credential_id": None, "version": None},
                }
            ],
        },
    ),
    "onboarding": (4, {"done": ["user", "core_config", "analytics", "integration"]}),
}
"""What Home Assistant keeps after somebody has set it up, and made a token for its API: (version, data)."""
CONFIGURATION = """\
http: {{server_host: 127.0.0.1, server_port: {port}}}
mqtt: {{sensor: [{{name: probe, state_topic: probe}}]}}
notify: [{{platform: file, name: notify, filename: notified.txt}}]
logger: {{default: warning}}
"""


def missing() -> str | None:
    """Why Home Assistant cannot run here; None if it can."""
    if MOSQUITTO is None:
        return "needs Debian's mosquitto"
    if sys.version_info[:2] not in PYTHONS:
        return f"{REQUIREMENTS.read_text('utf-8').split()[0]} needs Python 3.11 or 3.12"
    if not path().is_dir():
        return "Home Assistant is not installed; make test-home-assistant does that"
    return None


def path() -> Path:
    """Where its environment is, or will be: other requirements, another name."""
    return CACHE / f"home-assistant-{zlib.crc32(REQUIREMENTS.read_bytes() + sys.version.encode()):08x}"


def make() -> None:
    """Make the environment if it is not there, in place of older ones."""
    if path().is_dir() or sys.version_info[:2] not in PYTHONS:
        return
    fresh = CACHE / "home-assistant-unfinished"
    for old in CACHE.glob("home-assistant-*"):
        shutil.rmtree(old, ignore_errors=True)
    print(f"installing Home Assistant into {path()}, some minutes", flush=True)
    subprocess.run([sys.executable, "-m", "venv", fresh], check=True)
    pip = [fresh / "bin/python", "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    # The list is complete. Working out what fits together would take longer than the tests.
    more = ["--quiet", "--no-compile", "--no-cache-dir", "--no-deps", "--requirement", REQUIREMENTS]
    subprocess.run([*pip, *more], check=True)
    fresh.rename(path())


def _token() -> str:
    """The token that belongs to FILES, as RFC 7519 says."""

    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"iss": LOGIN, "iat": 1_700_000_000, "exp": int(time.time()) + 10**8}
    signed = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{encode(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"


def hass(*words: str | Path, **options) -> subprocess.Popen:
    """Start its command."""
    home = path()
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        **{"VIRTUAL_ENV": str(home), "PATH": f"{home}/bin:{os.environ['PATH']}"},
        **{"PYTHONPYCACHEPREFIX": str(CACHE / "bytecode")},
    }
    # Run as a module, because the environment was renamed after its scripts were written.
    command = [home / "bin/python", "-m", "homeassistant", *words]
    return subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, **options)


class HomeAssistant:
    """One installation: connected to a broker, with the YAML of a test; notifications go to a file."""

    def __init__(self, folder: Path, broker_port: int, yaml: str = ""):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            self.port = chosen.getsockname()[1]
        storage = folder / ".storage"
        storage.mkdir(parents=True)
        entry = {
            **{"entry_id": "4" * 32, "version": 1, "minor_version": 1, "domain": "mqtt", "title": "mqtt"},
            **{"data": {"broker": "127.0.0.1", "port": broker_port}, "options": {}, "source": "user"},
            **{"pref_disable_new_entities": False, "pref_disable_polling": False},
            **{"unique_id": None, "disabled_by": None},
        }
        kept = {**FILES, "core.config_entries": (1, {"entries": [entry]})}
        for name, (version, data) in kept.items():
            about = {"version": version, "minor_version": 1, "key": name, "data": data}
            (storage / name).write_text(json.dumps(about))
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self.port) + yaml)
        self.process = None

    def start(self):
        """Start it, and wait until it has started completely."""
        with (self.folder / "stderr").open("ab") as log:
            self.process = hass("-c", self.folder, stdout=log, stderr=log)
        until(self._started, "Home Assistant")

    def _started(self):
        assert self.process.poll() is None, (self.folder / "stderr").read_text()
        try:
            return self._get("config")["state"] == "RUNNING"
        except OSError:
            return False

    def stop(self):
        """Stop it as its service does."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)

    def _get(self, route):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{route}", headers={"Authorization": f"Bearer {_token()}"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def entities(self):
        """{entity: {"state", "attributes", ...}} of all."""
        return {one["entity_id"]: one for one in self._get("states")}

    def state(self, entity):
        """Its state in words; None if there is no such entity."""
        return self.entities().get(entity, {}).get("state")

    def picture(self, entity):
        """The bytes of an image entity."""
        address = self.entities()[entity]["attributes"]["entity_picture"]
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{address}", timeout=PATIENCE_S) as answer:
            return answer.read()

    def notified(self):
        """The messages that automations have sent, in order."""
        file = self.folder / "notified.txt"
        return file.read_text().splitlines()[2:] if file.exists() else []

    def log(self):
        """What it has logged: warnings and errors."""
        return (self.folder / "home-assistant.log").read_text()


if __name__ == "__main__":
    make()
