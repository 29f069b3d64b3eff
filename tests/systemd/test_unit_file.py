"""face-detect.service says what the daemon does."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from face_det.config.settings import Config
from face_det.errors import ConfigError
from face_det.systemd import installation

UNIT = Path(__file__).parents[2] / "face-detect.service"
EXPOSED = 2.0


@pytest.fixture
def service():
    """Its [Service] section."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(UNIT)
    return parser["Service"]


def test_agrees_with_the_daemon(service):
    """It notifies, reloads on SIGHUP, is restarted, but not over a wrong configuration."""
    assert service["Type"] == "notify"
    assert service["ExecStart"].endswith("/face-det serve --config /etc/face-detect/config.json")
    assert service["ExecReload"] == '/bin/sh -c "kill -HUP $$MAINPID"'
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"].split() == ["2", "64", str(ConfigError.exit_code)]
    assert float(service["WatchdogSec"]) == 30


def test_leaves_time_to_finish(service):
    """systemd kills only after the daemon has cut off what does not end."""
    assert float(service["TimeoutStopSec"]) >= Config().shutdown_timeout + 10


needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


@pytest.fixture
def unit(tmp_path, service):
    """The unit as a file, with a command that is there."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace(service["ExecStart"].split()[0], "/bin/true"))
    return path


@needs_analyze
def test_systemd_has_nothing_to_say_about_it(unit):
    """No unknown key, no typing error; its exit status is no help, its stderr is."""
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=300)
    assert done.stdout + done.stderr == ""


@needs_analyze
def test_is_little_exposed(unit, capsys):
    """systemd's own score, of 10 for a service without any protection: at most 2.0; it is printed."""
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)
    assert found is not None, done.stderr
    with capsys.disabled():
        print(f"\nexposure of {UNIT.name}: {found[1]} (at most {EXPOSED})")
    assert done.returncode == 0
    assert float(found[1]) <= EXPOSED


def test_the_package_carries_it():
    """install-service writes the very same text."""
    assert installation.TEMPLATE.read_text() == UNIT.read_text()
    assert installation.TEMPLATE_COMMAND in UNIT.read_text()
