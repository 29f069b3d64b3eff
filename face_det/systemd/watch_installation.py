"""Plans what `face-det install-service --watch` does beside the daemon's installation."""

from __future__ import annotations

from pathlib import Path

from face_det.systemd.installation import (
    SERVICE_NAME,
    render_unit,
    systemctl_steps,
    user_removal_steps,
    user_step,
)
from face_det.systemd.steps import FileStep, RemovalStep, Step, path_in_root

WATCH_SERVICE_NAME = "face-detect-watch"
"""The name of the unit of `face-det watch`, and of its user and group."""
WATCH_UNIT_FILE = Path("/etc/systemd/system/face-detect-watch.service")
WATCH_SYSUSERS_FILE = Path("/etc/sysusers.d/face-detect-watch.conf")

WATCH_TEMPLATE = Path(__file__).with_name("face-detect-watch.service")
WATCH_SYSUSERS_CONTENT = f'u {WATCH_SERVICE_NAME} - "Live cameras of the {SERVICE_NAME} service" /\n'


def plan_watch_installation(root: Path) -> list[Step]:
    """Return the steps that install the service; the daemon's must be installed before.

    Raises FaceDetError if the service's user could not run this installation.
    """
    return [
        FileStep(WATCH_SYSUSERS_FILE, WATCH_SYSUSERS_CONTENT),
        user_step(root, WATCH_SERVICE_NAME, WATCH_SYSUSERS_FILE, "/"),
        FileStep(WATCH_UNIT_FILE, render_unit(WATCH_TEMPLATE)),
        *systemctl_steps(root, "daemon-reload"),
    ]


def plan_watch_removal(root: Path, purge: bool) -> list[Step]:
    """Return the steps that remove the service; `purge` also removes its user."""
    there = path_in_root(root, WATCH_UNIT_FILE).exists()
    steps = systemctl_steps(root, "disable", "--now", WATCH_SERVICE_NAME) if there else []
    steps += [RemovalStep(WATCH_UNIT_FILE), *systemctl_steps(root, "daemon-reload")]
    steps.append(RemovalStep(WATCH_SYSUSERS_FILE))
    return [*steps, *(user_removal_steps(root, WATCH_SERVICE_NAME) if purge else [])]
