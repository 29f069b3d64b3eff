"""face-det install-service --mqtt, below a folder that stands for a system."""

from __future__ import annotations

import os
import shutil

import pytest
from running_here import run_here

UNIT = "etc/systemd/system/face-detect-mqtt.service"
PASSWORD = "etc/face-detect/mqtt-password"

needs_sysusers = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-sysusers") is None, reason="needs root and systemd-sysusers"
)


@needs_sysusers
def test_it_comes_and_goes_beside_the_others(tmp_path):
    """A password that was written is kept, for its user alone, until --purge."""
    root = tmp_path / "root"
    root.mkdir()

    def install(*words):
        return run_here("install-service", "--root", root, *words, cwd=tmp_path)

    done = install("--mqtt")
    assert done.returncode == 0, done.stderr
    assert "systemctl enable face-detect face-detect-mqtt" in done.stderr
    assert "face-det mqtt --config /etc/face-detect/config.json" in (root / UNIT).read_text()
    assert (root / PASSWORD).stat().st_mode & 0o777 == 0o600
    assert f"face-detect-mqtt:x:{(root / PASSWORD).stat().st_uid}:" in (root / "etc/passwd").read_text()
    (root / PASSWORD).write_text("secret")
    install("--mqtt")
    assert (root / PASSWORD).read_text() == "secret"
    assert install("--uninstall", "--mqtt").returncode == 0
    assert not (root / UNIT).exists()
    assert (root / PASSWORD).exists()
    assert install("--uninstall", "--purge").returncode == 0
    assert list(root.rglob("*face-detect*")) == []
