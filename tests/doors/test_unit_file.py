"""face-detect.service says what the daemon does."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from face_det.config import Config
from face_det.errors import ConfigError

UNIT = Path(__file__).parents[2] / "face-detect.service"


@pytest.fixture
def service():
    """Its [Service] section."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(UNIT)
    return parser["Service"]


def test_agrees_with_the_daemon(service):
    """It notifies, reloads on SIGHUP, is restarted, but not over a wrong configuration."""
    assert service["Type"] == "notify"
    assert service["ExecStart"].endswith("/face-det serve --config /etc/face-det/config.json")
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["Restart"] == "always"
    assert int(service["RestartPreventExitStatus"]) == ConfigError.exit_code
    assert float(service["WatchdogSec"]) == 30


def test_leaves_time_to_finish(service):
    """systemd kills only after the daemon has cut off what does not end."""
    assert float(service["TimeoutStopSec"]) >= Config().shutdown_timeout + 10


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_has_nothing_to_say_about_it(tmp_path, service):
    """No unknown key, no typing error; its exit status is no help, its stderr is."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(service["ExecStart"].split()[0], "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert done.stdout + done.stderr == ""
