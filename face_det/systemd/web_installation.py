"""Plans what `face-det install-service --web` does beside the daemon's installation."""

from __future__ import annotations

from pathlib import Path

from face_det.systemd.installation import (
    CONFIG_FILE,
    SERVICE_NAME,
    render_unit,
    systemctl_steps,
    user_removal_steps,
    user_step,
)
from face_det.systemd.steps import FileStep, Owner, RemovalStep, Step, path_in_root

WEB_SERVICE_NAME = "face-detect-web"
"""The name of the gateway's unit, and of its user and group."""
WEB_UNIT_FILE = Path("/etc/systemd/system/face-detect-web.service")
WEB_SYSUSERS_FILE = Path("/etc/sysusers.d/face-detect-web.conf")
CREDENTIALS_FILE = CONFIG_FILE.with_name("web-credentials.json")
"""Where credentialsPath leads by default. Root writes to it; the gateway's user owns and reads it."""

WEB_TEMPLATE = Path(__file__).with_name("face-detect-web.service")
WEB_SYSUSERS_CONTENT = f'u {WEB_SERVICE_NAME} - "Page of the {SERVICE_NAME} service" /\n'


def plan_web_installation(root: Path) -> list[Step]:
    """Return the steps that install the gateway's service; the daemon's must be installed before.

    Raises FaceDetError if the service's user could not run this installation.
    """
    ours = Owner(WEB_SERVICE_NAME, WEB_SERVICE_NAME)
    return [
        FileStep(WEB_SYSUSERS_FILE, WEB_SYSUSERS_CONTENT),
        user_step(root, WEB_SERVICE_NAME, WEB_SYSUSERS_FILE, "/"),
        FileStep(CREDENTIALS_FILE, "{}\n", 0o600, ours, keep_existing=True),
        FileStep(WEB_UNIT_FILE, render_unit(WEB_TEMPLATE)),
        *systemctl_steps(root, "daemon-reload"),
    ]


def plan_web_removal(root: Path, purge: bool) -> list[Step]:
    """Return the steps that remove the gateway's service; `purge` also removes credentials and the user."""
    there = path_in_root(root, WEB_UNIT_FILE).exists()
    steps = systemctl_steps(root, "disable", "--now", WEB_SERVICE_NAME) if there else []
    steps += [RemovalStep(WEB_UNIT_FILE), *systemctl_steps(root, "daemon-reload")]
    steps.append(RemovalStep(WEB_SYSUSERS_FILE))
    if purge:
        steps += [RemovalStep(CREDENTIALS_FILE), *user_removal_steps(root, WEB_SERVICE_NAME)]
    return steps
