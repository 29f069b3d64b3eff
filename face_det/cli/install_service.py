"""The command `face-det install-service`: installs the daemon as a systemd service."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from face_det.config import load_config
from face_det.errors import ConfigError, FaceDetError
from face_det.storage import backup_path, explain_way_back
from face_det.systemd import (
    ACTIONS_SERVICE,
    CONFIG_FILE,
    FRIGATE_SERVICE,
    MQTT_SERVICE,
    SERVICE_NAME,
    STATE_FOLDER,
    UNIT_FILE,
    WATCH_SERVICE,
    WEB_SERVICE,
    FileStep,
    Step,
    list_unit_conflicts,
    path_in_root,
    plan_installation,
    plan_removal,
)

CLIENTS = {
    "web": (WEB_SERVICE, "the page", "for the page"),
    "watch": (WATCH_SERVICE, "`face-det watch`", 'for the cameras with "live": true'),
    "mqtt": (MQTT_SERVICE, "`face-det mqtt`", "for MQTT"),
    "frigate": (FRIGATE_SERVICE, "`face-det frigate`", "for Frigate"),
    "actions": (ACTIONS_SERVICE, "`face-det actions`", "for onRecognition"),
}
"""The services beside the daemon's: option, service, what it runs, and what it is for."""


def _client_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each of CLIENTS."""
    for name, (_, title, _) in reversed(CLIENTS.items()):
        help_text = f"Also install {title} as a service; with --uninstall, only remove that."
        function = click.option(f"--{name}", is_flag=True, help=help_text)(function)
    return function


@click.command(
    help="Install the daemon as a systemd service: unit, user and group, folders and "
    "/etc/face-detect/config.json. Running it again updates the unit and keeps the settings."
)
@_client_options
@click.option("--dry-run", is_flag=True, help="Only print what would be done, including the files.")
@click.option("--uninstall", is_flag=True, help="Stop and remove the service; keep people and settings.")
@click.option("--purge", is_flag=True, help="With --uninstall: also remove people, settings and the user.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    default=Path("/"),
    help="Prepare the system in this folder, such as a mounted disk image, instead of the running system.",
)
def command(dry_run: bool, uninstall: bool, purge: bool, root: Path, **clients: bool) -> None:
    """Run the command; raise FaceDetError (exit 70) if a step fails. Without root it exits with 2."""
    if purge and not uninstall:
        raise click.UsageError("--purge needs --uninstall")
    if root == Path("/") and os.geteuid() != 0 and not dry_run:
        raise click.UsageError(
            f"must be run as root, got user {os.geteuid()}: sudo face-det install-service, or --dry-run"
        )
    named = [name for name in CLIENTS if clients[name]]
    steps = _plan_removals(root, purge, named) if uninstall else _plan_installations(root, named)
    for step in steps:
        _print_step(step) if dry_run else _run_step(step, root)
    if dry_run:
        return
    after = _kept_paths(root, purge) if uninstall else [*_config_warnings(root), *_next_steps(root, named)]
    for line in (*_kept_unit(root), *after):
        click.echo(line, err=True)


def _plan_installations(root: Path, named: Sequence[str]) -> list[Step]:
    steps = plan_installation(root)
    for name in named:
        steps += CLIENTS[name][0].plan_installation(root)
    return steps


def _plan_removals(root: Path, purge: bool, named: Sequence[str]) -> list[Step]:
    """Plan the removal of what was named, or of everything."""
    steps: list[Step] = []
    for name in reversed(named or list(CLIENTS)):
        steps += CLIENTS[name][0].plan_removal(root, purge)
    return steps if named else [*steps, *plan_removal(root, purge)]


def _print_step(step: Step) -> None:
    click.echo(step.describe())
    if isinstance(step, FileStep):
        click.echo("".join(f"    {line}\n" if line else "\n" for line in step.content.splitlines()), nl=False)


def _run_step(step: Step, root: Path) -> None:
    try:
        changed = step.apply(root)
    except OSError as error:
        raise FaceDetError(f"{step.describe()}: cannot be done: {error.strerror or error}") from error
    click.echo(f"{'done     ' if changed else 'unchanged'} {step.describe()}")


def _next_steps(root: Path, named: Sequence[str]) -> list[str]:
    more = {CLIENTS[name][0].name: CLIENTS[name][2] for name in named}
    if root != Path("/"):
        return [f"next, in {root}: systemctl enable {' '.join([SERVICE_NAME, *more])}"]
    # The other program may be running under this name, and then `enable --now` would leave it at that.
    replaced = backup_path(UNIT_FILE).exists()
    start = f"enable {SERVICE_NAME} && systemctl restart" if replaced else "enable --now"
    return [
        f"next: systemctl {start} {SERVICE_NAME}",
        *(f"{what}: systemctl enable --now {name}" for name, what in more.items()),
        f"callers need the group: usermod -aG {SERVICE_NAME} www-data",
    ]


def _kept_unit(root: Path) -> list[str]:
    """Say where another program's unit of this name is kept; its path is that in the system at `root`."""
    copy = backup_path(UNIT_FILE)
    if not path_in_root(root, copy).exists():
        return []
    return [f"kept: {copy}: another program's unit; {explain_way_back(copy)}"]


def _kept_paths(root: Path, purge: bool) -> list[str]:
    kept = [path for path in (CONFIG_FILE.parent, STATE_FOLDER) if path_in_root(root, path).exists()]
    if purge or not kept:
        return []
    return [
        f"kept: {', '.join(map(str, kept))} and the user {SERVICE_NAME}; --uninstall --purge removes them"
    ]


def _config_warnings(root: Path) -> list[str]:
    """Warn about existing settings that the unit does not allow."""
    try:
        config = load_config(path_in_root(root, CONFIG_FILE), {})
    except ConfigError as error:
        return [f"warning: {fault}; the service will not start" for fault in error.faults]
    written = (config.model_path, config.label_path, config.encodings_path, config.dataset_path)
    return [f"warning: {conflict}" for conflict in list_unit_conflicts(root, config.zerorpc_pipe, written)]
