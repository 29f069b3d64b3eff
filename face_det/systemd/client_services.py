"""Plans what `face-det install-service` does for the programs beside the daemon: page, cameras and others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from face_det.systemd.installation import (
    CONFIG_FILE,
    SERVICE_NAME,
    STATE_FOLDER,
    render_unit,
    systemctl_steps,
    user_removal_steps,
    user_step,
)
from face_det.systemd.steps import FileStep, Owner, RemovalStep, Step, path_in_root


@dataclass(frozen=True, slots=True)
class ClientService:
    """A service that calls the daemon.

    `name` is that of its unit, and of its user and group; `title` says in its user's entry what it is.
    `private_files` are files in the folder of config.json, each with what it begins with: root writes to
    them, and the service's user owns and reads them. `has_state` says that the unit has a state folder.
    """

    name: str
    title: str
    private_files: tuple[tuple[str, str], ...] = ()
    has_state: bool = False

    @property
    def template(self) -> Path:
        """The unit as it is shipped."""
        return Path(__file__).with_name(f"{self.name}.service")

    @property
    def unit_file(self) -> Path:
        """Where the unit is installed."""
        return Path(f"/etc/systemd/system/{self.name}.service")

    @property
    def state_folder(self) -> Path:
        """The folder that systemd makes for the service, if it has one."""
        return STATE_FOLDER.with_name(self.name)

    @property
    def sysusers_file(self) -> Path:
        """Where systemd is told of the user."""
        return Path(f"/etc/sysusers.d/{self.name}.conf")

    def plan_installation(self, root: Path) -> list[Step]:
        """Return the steps that install the service; the daemon's must be installed before.

        Raises FaceDetError if the service's user could not run this installation.
        """
        user = f'u {self.name} - "{self.title} of the {SERVICE_NAME} service" /\n'
        steps: list[Step] = [
            FileStep(self.sysusers_file, user),
            user_step(root, self.name, self.sysusers_file, "/"),
        ]
        owner = Owner(self.name, self.name)
        for name, content in self.private_files:
            steps.append(FileStep(CONFIG_FILE.with_name(name), content, 0o600, owner, keep_existing=True))
        steps.append(FileStep(self.unit_file, render_unit(self.template)))
        return [*steps, *systemctl_steps(root, "daemon-reload")]

    def plan_removal(self, root: Path, purge: bool) -> list[Step]:
        """Return the steps that remove the service; `purge` also removes what it keeps, and its user."""
        there = path_in_root(root, self.unit_file).exists()
        steps = systemctl_steps(root, "disable", "--now", self.name) if there else []
        steps += [RemovalStep(self.unit_file), *systemctl_steps(root, "daemon-reload")]
        steps.append(RemovalStep(self.sysusers_file))
        if purge:
            steps += [RemovalStep(CONFIG_FILE.with_name(name)) for name, _ in self.private_files]
        if purge and self.has_state:
            steps.append(RemovalStep(self.state_folder))
        return [*steps, *(user_removal_steps(root, self.name) if purge else [])]


WEB_SERVICE = ClientService("face-detect-web", "Page", (("web-credentials.json", "{}\n"),))
"""`face-det web`; its private file is where credentialsPath leads by default."""
WATCH_SERVICE = ClientService("face-detect-watch", "Live cameras")
"""`face-det watch`."""
MQTT_SERVICE = ClientService("face-detect-mqtt", "MQTT", (("mqtt-password", ""),))
"""`face-det mqtt`; its private file is for mqtt.passwordFile."""
ACTIONS_SERVICE = ClientService("face-detect-actions", "Actions", (("actions-token", ""),), has_state=True)
"""`face-det actions`; its private file is for the tokenFile of a webhook."""
FRIGATE_SERVICE = ClientService(
    "face-detect-frigate", "Frigate", (("frigate-password", ""), ("frigate-mqtt-password", ""))
)
"""`face-det frigate`; its private files are for frigate.passwordFile and frigate.mqttPasswordFile."""
