"""A system that is booted once, with the service installed as the README says."""

from __future__ import annotations

import os
import shutil

import image
import pytest
from machine import SERVICE, Machine

# They take minutes and need root: `make test-systemd` asks for them, `make test` does not.
collect_ignore_glob = [] if os.environ.get("TEST_SYSTEMD") else ["test_*.py"]

PICTURES = ("obama", "obama2", "biden", "t1")


@pytest.fixture(scope="session")
def machine(tmp_path_factory, photos):
    """Debian with the package installed and install-service run; not started."""
    reason = image.missing()
    if reason is not None:
        pytest.skip(reason)
    assert image.path().is_dir(), "python tests/systemd/image.py makes the image first"
    shared = tmp_path_factory.mktemp("shared")
    shared.chmod(0o755)
    (shared / "photos").mkdir()
    for name in PICTURES:
        shutil.copy(photos[name], shared / "photos" / name)
    booted = Machine(shared)
    try:
        pip = f"{image.VENV}/bin/pip install --quiet --no-index --no-build-isolation"
        booted.run("sh", "-c", f"cp -r /shared/source /opt/source && {pip} /opt/source")
        booted.run(f"{image.VENV}/bin/face-det", "install-service")
        booted.run("useradd", "--groups", SERVICE, "caller")
        booted.run("useradd", "stranger")
        yield booted
    finally:
        booted.close()


@pytest.fixture
def service(machine):
    """The machine, with the service as installed and running; afterwards as before."""
    settings = machine.run("cat", "/etc/face-detect/config.json").out
    machine.run("systemctl", "reset-failed", SERVICE, check=False)
    machine.systemctl("enable")
    machine.systemctl("start")
    yield machine
    machine.run("rm", "-rf", f"/run/systemd/system/{SERVICE}.service.d")
    machine.write("/etc/face-detect/config.json", settings)
    machine.run("systemctl", "daemon-reload")
    machine.systemctl("stop")


@pytest.fixture
def with_settings(service):
    """with_settings(watchdog="2", stuckAfter=5): restarted with another interval and more settings."""

    def restart(watchdog=None, **settings):
        if watchdog is not None:
            path = f"/run/systemd/system/{SERVICE}.service.d/test.conf"
            service.write(path, f"[Service]\nWatchdogSec={watchdog}\n")
            service.run("systemctl", "daemon-reload")
        service.configure(**settings)
        service.systemctl("restart")
        return service

    return restart
