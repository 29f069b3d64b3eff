"""The unit of `face-det install-service --frigate`."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess

import pytest

from face_det.errors import ConfigError
from face_det.systemd import FRIGATE_SERVICE

needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def service_section():
    """The unit's [Service] section."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(FRIGATE_SERVICE.template)
    return parser["Service"]


def test_agrees_with_the_program():
    """It notifies, is restarted, but not over a wrong configuration; the daemon's folders are not there."""
    service = service_section()
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert service["ExecStart"].endswith("/face-det frigate --config /etc/face-detect/config.json")
    assert service["RestartPreventExitStatus"].split() == ["2", "64", str(ConfigError.exit_code)]
    assert service["User"] == service["Group"] == "face-detect-frigate"
    for folder in ("/var/lib/face-detect", "/var/cache/face-detect"):
        assert f"-{folder}" in service["InaccessiblePaths"].split()


@needs_analyze
def test_systemd_has_nothing_to_say_about_it_and_little_is_exposed(tmp_path):
    """No unknown key; at most 2.0 of 10."""
    unit = tmp_path / "face-detect-frigate.service"
    text = FRIGATE_SERVICE.template.read_text()
    unit.write_text(text.replace(service_section()["ExecStart"].split()[0], "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=300)
    assert done.stdout + done.stderr == ""
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    assert float(re.search(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)[1]) <= 2.0
