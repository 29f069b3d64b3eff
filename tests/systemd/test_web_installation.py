"""face-det install-service --web, below a folder that stands for a system, and the unit that it installs."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import stat
import subprocess

import pytest
from running_here import run_here

from face_det.errors import ConfigError
from face_det.gateway.security import credentials
from face_det.systemd import WEB_SERVICE

UNIT = "etc/systemd/system/face-detect-web.service"
DAEMON_UNIT = "etc/systemd/system/face-detect.service"
CREDENTIALS = "etc/face-detect/web-credentials.json"

needs_sysusers = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-sysusers") is None, reason="needs root and systemd-sysusers"
)
needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


@pytest.fixture
def install(tmp_path):
    """install("--web"): the command, for the system in the folder `install.root`."""
    root = tmp_path / "root"
    root.mkdir()

    def run(*words):
        return run_here("install-service", "--root", root, *words, cwd=tmp_path)

    run.root = root
    return run


@needs_sysusers
def test_it_comes_and_goes_beside_the_daemon(install):
    """With --web both are installed; --uninstall --web leaves the daemon, --uninstall nothing."""
    root = install.root
    done = install("--web")
    assert done.returncode == 0, done.stderr
    assert "systemctl enable face-detect face-detect-web" in done.stderr
    assert (root / UNIT).exists()
    assert (root / DAEMON_UNIT).exists()
    kept = (root / CREDENTIALS).stat()
    users = (root / "etc/passwd").read_text()
    uid = int(re.search(r"^face-detect-web:x:(\d+):", users, re.M)[1])
    assert (stat.S_IMODE(kept.st_mode), kept.st_uid) == (0o600, uid)
    assert not credentials.load_credentials(root / CREDENTIALS)
    credentials.add_token(root / CREDENTIALS, "ha")
    assert install("--web").returncode == 0
    assert credentials.load_credentials(root / CREDENTIALS).tokens
    assert install("--uninstall", "--web").returncode == 0
    assert not (root / UNIT).exists()
    assert (root / DAEMON_UNIT).exists()
    install("--web")
    assert install("--uninstall").returncode == 0
    assert not (root / UNIT).exists()
    assert not (root / DAEMON_UNIT).exists()
    assert (root / CREDENTIALS).exists()
    assert install("--uninstall", "--purge").returncode == 0
    assert list(root.rglob("*face-detect*")) == []
    assert "face-detect" not in (root / "etc/passwd").read_text()


def test_without_the_option_nothing_of_it_is_installed(install):
    """A daemon alone needs no page."""
    assert "face-detect-web" not in install("--dry-run").stdout


@pytest.fixture
def service():
    """The unit's [Service] section."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(WEB_SERVICE.template)
    return parser["Service"]


def test_agrees_with_the_gateway(service):
    """It notifies, is restarted, but not over a wrong configuration; the daemon's folders are not there."""
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert service["ExecStart"].endswith("/face-det web --config /etc/face-detect/config.json")
    assert service["RestartPreventExitStatus"].split() == ["2", "64", str(ConfigError.exit_code)]
    assert service["User"] == service["Group"] == "face-detect-web"
    for folder in ("/var/lib/face-detect", "/var/cache/face-detect"):
        assert f"-{folder}" in service["InaccessiblePaths"].split()


@needs_analyze
def test_systemd_has_nothing_to_say_about_it_and_little_is_exposed(tmp_path, service):
    """No unknown key; at most 2.0 of 10."""
    unit = tmp_path / "face-detect-web.service"
    text = WEB_SERVICE.template.read_text()
    unit.write_text(text.replace(service["ExecStart"].split()[0], "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=300)
    assert done.stdout + done.stderr == ""
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    assert float(re.search(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)[1]) <= 2.0
