"""install-service --mqtt, --frigate and --actions, below a folder that stands for a system."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

import pytest
from running_here import run_here

needs_sysusers = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-sysusers") is None, reason="needs root and systemd-sysusers"
)
MQTT_UNIT = "etc/systemd/system/face-detect-mqtt.service"


@dataclass(frozen=True)
class Reader:
    """A program that reads the daemon's events: its private files, the folder it keeps, and its options."""

    name: str
    secrets: tuple[str, ...]
    state: str | None = None
    options: str = ""


READERS = (
    Reader("mqtt", ("mqtt-password",)),
    Reader("frigate", ("frigate-password", "frigate-mqtt-password")),
    Reader(
        "actions", ("actions-token",), "var/lib/face-detect-actions", " --state /var/lib/face-detect-actions"
    ),
)


@needs_sysusers
@pytest.mark.parametrize("reader", READERS, ids=lambda one: one.name)
def test_it_comes_and_goes_beside_the_others(tmp_path, reader):
    """What was written to its secrets is kept, for its user alone, until --purge; so is what it keeps."""
    root, option = tmp_path / "root", f"--{reader.name}"
    unit = root / f"etc/systemd/system/face-detect-{reader.name}.service"
    secrets = [root / "etc/face-detect" / name for name in reader.secrets]
    root.mkdir()

    def install(*words):
        return run_here("install-service", "--root", root, *words, cwd=tmp_path)

    done = install(option, "--mqtt")
    assert done.returncode == 0, done.stderr
    enabled = " ".join(dict.fromkeys(("face-detect", "face-detect-mqtt", unit.stem)))
    assert f"systemctl enable {enabled}" in done.stderr
    command = f"face-det {reader.name} --config /etc/face-detect/config.json{reader.options}"
    assert f"/{command}\n" in unit.read_text()
    for secret in secrets:
        assert secret.stat().st_mode & 0o777 == 0o600
        assert f"face-detect-{reader.name}:x:{secret.stat().st_uid}:" in (root / "etc/passwd").read_text()
        secret.write_text("secret")
    kept = [*secrets, *([root / reader.state] if reader.state else [])]
    if reader.state:
        (root / reader.state).mkdir()
    install(option)
    assert [secret.read_text() for secret in secrets] == ["secret"] * len(secrets)
    assert install("--uninstall", option).returncode == 0
    assert not unit.exists()
    assert (root / MQTT_UNIT).exists() == (reader.name != "mqtt")
    assert all(path.exists() for path in kept)
    assert install("--uninstall", "--purge").returncode == 0
    assert list(root.rglob("*face-detect*")) == []
    assert "face-detect" not in (root / "etc/passwd").read_text()
