"""face-det install-service --watch, below a folder that stands for a system, and the unit it installs."""

from __future__ import annotations

import configparser
import ipaddress
import os
import re
import shutil
import subprocess

import pytest
from running_here import run_here

from face_det.errors import ConfigError
from face_det.systemd import WATCH_SERVICE

UNIT = "etc/systemd/system/face-detect-watch.service"
WEB_UNIT = "etc/systemd/system/face-detect-web.service"
DAEMON_UNIT = "etc/systemd/system/face-detect.service"

needs_sysusers = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-sysusers") is None, reason="needs root and systemd-sysusers"
)
needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


@pytest.fixture
def install(tmp_path):
    """install("--watch"): the command, for the system in the folder `install.root`."""
    root = tmp_path / "root"
    root.mkdir()

    def run(*words):
        return run_here("install-service", "--root", root, *words, cwd=tmp_path)

    run.root = root
    return run


@needs_sysusers
def test_it_comes_and_goes_beside_the_others(install):
    """With --watch it comes, too; --uninstall --watch removes it alone, --uninstall everything."""
    root = install.root
    done = install("--web", "--watch")
    assert done.returncode == 0, done.stderr
    assert "systemctl enable face-detect face-detect-web face-detect-watch" in done.stderr
    assert "face-detect-watch:x:" in (root / "etc/passwd").read_text()
    assert all((root / unit).exists() for unit in (UNIT, WEB_UNIT, DAEMON_UNIT))
    assert install("--uninstall", "--watch").returncode == 0
    assert [(root / unit).exists() for unit in (UNIT, WEB_UNIT, DAEMON_UNIT)] == [False, True, True]
    install("--watch")
    assert install("--uninstall", "--purge").returncode == 0
    assert list(root.rglob("*face-detect*")) == []
    assert "face-detect" not in (root / "etc/passwd").read_text()


def test_without_the_option_nothing_of_it_is_installed(install):
    """A daemon without cameras needs none of it."""
    assert "face-detect-watch" not in install("--dry-run").stdout


@pytest.fixture
def service():
    """The unit's [Service] section."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(WATCH_SERVICE.template)
    return parser["Service"]


def test_agrees_with_the_program(service):
    """It notifies, is restarted, but not over a wrong configuration; the daemon's folders are not there."""
    assert (service["Type"], service["Restart"], service["WatchdogSec"]) == ("notify", "always", "60")
    assert service["ExecStart"].endswith("/face-det watch --config /etc/face-detect/config.json")
    assert service["RestartPreventExitStatus"].split() == ["2", "64", str(ConfigError.exit_code)]
    assert service["User"] == service["Group"] == "face-detect-watch"
    for folder in ("/var/lib/face-detect", "/var/cache/face-detect"):
        assert f"-{folder}" in service["InaccessiblePaths"].split()


def test_it_reaches_private_networks_only(service):
    """Cameras are there; a camera's decoder that was taken over can send nothing further."""
    assert service["IPAddressDeny"] == "any"
    words = service["IPAddressAllow"].split()
    networks = [ipaddress.ip_network(word) for word in words if "/" in word]
    assert all(network.is_private for network in networks)
    assert set(words) - {str(network) for network in networks} == {"localhost", "link-local"}


@needs_analyze
def test_systemd_has_nothing_to_say_about_it_and_little_is_exposed(tmp_path, service):
    """No unknown key; at most 2.0 of 10."""
    unit = tmp_path / "face-detect-watch.service"
    text = WATCH_SERVICE.template.read_text()
    unit.write_text(text.replace(service["ExecStart"].split()[0], "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=300)
    assert done.stdout + done.stderr == ""
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    assert float(re.search(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)[1]) <= 2.0
