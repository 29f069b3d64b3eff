"""The unit of `face-det install-service --actions`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from face_det.systemd import ACTIONS_SERVICE

STATE = "var/lib/face-detect-actions"

needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


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
