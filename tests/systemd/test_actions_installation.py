"""face-det install-service --actions, below a folder that stands for a system."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from running_here import run_here

from face_det.systemd import ACTIONS_SERVICE

UNIT = "etc/systemd/system/face-detect-actions.service"
TOKEN = "etc/face-detect/actions-token"
STATE = "var/lib/face-detect-actions"

needs_sysusers = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-sysusers") is None, reason="needs root and systemd-sysusers"
)
needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


@needs_sysusers
def test_it_comes_and_goes_beside_the_others(tmp_path):
    """A token that was written is kept, for its user alone, until --purge; so is the log of failures."""
    root = tmp_path / "root"
    root.mkdir()

    def install(*words):
        return run_here("install-service", "--root", root, *words, cwd=tmp_path)

    done = install("--actions")
    assert done.returncode == 0, done.stderr
    assert "systemctl enable face-detect face-detect-actions" in done.stderr
    ours = "face-det actions --config /etc/face-detect/config.json --state /var/lib/face-detect-actions"
    assert ours in (root / UNIT).read_text()
    assert (root / TOKEN).stat().st_mode & 0o777 == 0o600
    assert f"face-detect-actions:x:{(root / TOKEN).stat().st_uid}:" in (root / "etc/passwd").read_text()
    (root / TOKEN).write_text("secret")
    (root / STATE).mkdir()
    install("--actions")
    assert (root / TOKEN).read_text() == "secret"
    assert install("--uninstall", "--actions").returncode == 0
    assert not (root / UNIT).exists()
    assert (root / TOKEN).exists()
    assert (root / STATE).exists()
    assert install("--uninstall", "--purge").returncode == 0
    assert list(root.rglob("*face-detect*")) == []


@needs_analyze
def test_systemd_has_nothing_to_say_about_it(tmp_path):
    """No unknown key, no typing error; and it is as closed as the daemon's: 2.0 of 10 at most."""
    unit = tmp_path / ACTIONS_SERVICE.template.name
    text = ACTIONS_SERVICE.template.read_text()
    (command,) = (line.split()[0] for line in text.splitlines() if line.startswith("ExecStart="))
    unit.write_text(text.replace(command, "ExecStart=/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=300)
    assert done.stdout + done.stderr == ""
    score = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(score, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert f"StateDirectory={Path(STATE).name}" in text
