"""Home Assistant itself: environments in .cache, one for each release, which this file makes as a command."""

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

CACHE = Path(__file__).parents[2] / ".cache"
RELEASES = {"2024.3": ("3.11", "3.12"), "2025.4": ("3.13",)}
"""The releases that are tested, and the Pythons that each can be installed with."""
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
command_line: [{{notify: {{name: mobile_app_phone, command: "(cat; echo) >> {folder}/notified.txt"}}}}]
logger: {{default: warning}}
"""


def missing(release: str) -> str | None:
    """Why this release of Home Assistant cannot run here; None if it can."""
    if MOSQUITTO is None:
        return "needs Debian's mosquitto"
    if not path(release).is_dir():
        wanted = " or ".join(RELEASES[release])
        return f"Home Assistant {release} needs Python {wanted}; make test-home-assistant then installs it"
    return None


def path(release: str) -> Path:
    """Where a release's environment is, or will be: other requirements, another name."""
    return CACHE / f"home-assistant-{release}-{zlib.crc32(_requirements(release).read_bytes()):08x}"


def make() -> None:
    """Make the environments that are missing, as far as this machine has their Python; remove older ones."""
    for old in set(CACHE.glob("home-assistant-*")) - {path(release) for release in RELEASES}:
        shutil.rmtree(old, ignore_errors=True)
    for release, versions in RELEASES.items():
        if path(release).is_dir():
            continue
        python = next((found for version in versions if (found := _find_python(version))), None)
        if python is None:
            print(
                f"Home Assistant {release} needs Python {' or '.join(versions)}, which is not here",
                flush=True,
            )
            continue
        print(f"installing Home Assistant {release} into {path(release)}, some minutes", flush=True)
        fresh = CACHE / "home-assistant-unfinished"
        shutil.rmtree(fresh, ignore_errors=True)
        subprocess.run([python, "-m", "venv", fresh], check=True)
        pip = [fresh / "bin/python", "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
        # The list is complete. Working out what fits together would take longer than the tests.
        more = ["--quiet", "--no-compile", "--no-cache-dir", "--no-deps", "--requirement"]
        subprocess.run([*pip, *more, _requirements(release)], check=True)
        fresh.rename(path(release))


def _requirements(release: str) -> Path:
    return Path(__file__).with_name(f"home_assistant_{release}.txt")


def _find_python(version: str) -> str | Path | None:
    """A Python of that version: this one, one in PATH, or one of pyenv's."""
    named = shutil.which(f"python{version}") or sys.executable
    # pyenv's command of that name may only say which versions there are.
    installed = Path(named).parents[1].glob(f"versions/{version}.*/bin/python")
    for python in (sys.executable, named, *sorted(installed)):
        code = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
        try:
            run = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if run.stdout.strip() == version:
            return python
    return None


def _token() -> str:
    """The token that belongs to FILES, as RFC 7519 says."""

    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"iss": LOGIN, "iat": 1_700_000_000, "exp": int(time.time()) + 10**8}
    signed = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{encode(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"


def hass(release: str, *words: str | Path, **options) -> subprocess.Popen:
    """Start a release's command."""
    home = path(release)
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

    def __init__(self, release: str, folder: Path, broker_port: int, yaml: str = ""):
        self.release, self.folder = release, folder
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
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self.port, folder=folder) + yaml)
        self.process = None

    def start(self):
        """Start it, and wait until it has started completely."""
        with (self.folder / "stderr").open("ab") as log:
            self.process = hass(self.release, "-c", self.folder, stdout=log, stderr=log)
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

    def read(self, route):
        """What it answers to somebody who has a token."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{route}", headers={"Authorization": f"Bearer {_token()}"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.read()

    def _get(self, route):
        return json.loads(self.read(f"/api/{route}"))

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
        return file.read_text().splitlines() if file.exists() else []

    def log(self):
        """What it has logged: warnings and errors."""
        return (self.folder / "home-assistant.log").read_text()


if __name__ == "__main__":
    make()
