"""Plans what `face-det install-service --mqtt` does beside the daemon's installation."""

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

MQTT_SERVICE_NAME = "face-detect-mqtt"
"""The name of the unit of `face-det mqtt`, and of its user and group."""
MQTT_UNIT_FILE = Path("/etc/systemd/system/face-detect-mqtt.service")
MQTT_SYSUSERS_FILE = Path("/etc/sysusers.d/face-detect-mqtt.conf")
MQTT_PASSWORD_FILE = CONFIG_FILE.with_name("mqtt-password")
"""For mqtt.passwordFile. Root writes to it; the service's user owns and reads it."""

MQTT_TEMPLATE = Path(__file__).with_name("face-detect-mqtt.service")
MQTT_SYSUSERS_CONTENT = f'u {MQTT_SERVICE_NAME} - "MQTT of the {SERVICE_NAME} service" /\n'


def plan_mqtt_installation(root: Path) -> list[Step]:
    """Return the steps that install the service; the daemon's must be installed before.

    Raises FaceDetError if the service's user could not run this installation.
    """
    ours = Owner(MQTT_SERVICE_NAME, MQTT_SERVICE_NAME)
    return [
        FileStep(MQTT_SYSUSERS_FILE, MQTT_SYSUSERS_CONTENT),
        user_step(root, MQTT_SERVICE_NAME, MQTT_SYSUSERS_FILE, "/"),
        FileStep(MQTT_PASSWORD_FILE, "", 0o600, ours, keep_existing=True),
        FileStep(MQTT_UNIT_FILE, render_unit(MQTT_TEMPLATE)),
        *systemctl_steps(root, "daemon-reload"),
    ]


def plan_mqtt_removal(root: Path, purge: bool) -> list[Step]:
    """Return the steps that remove the service; `purge` also removes the password and the user."""
    there = path_in_root(root, MQTT_UNIT_FILE).exists()
    steps = systemctl_steps(root, "disable", "--now", MQTT_SERVICE_NAME) if there else []
    steps += [RemovalStep(MQTT_UNIT_FILE), *systemctl_steps(root, "daemon-reload")]
    steps.append(RemovalStep(MQTT_SYSUSERS_FILE))
    if purge:
        steps += [RemovalStep(MQTT_PASSWORD_FILE), *user_removal_steps(root, MQTT_SERVICE_NAME)]
    return steps
