"""The command `face-det up`: runs the daemon, the gateway and whatever else is configured."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from face_det.cli.shared_options import ConfigSource, config_option
from face_det.config import environment_variable


@click.command(
    help="Run the daemon and the page in the foreground, with one log, and `face-det watch` if a camera is "
    "`live`, `face-det mqtt`, `face-det frigate` and `face-det actions` if `mqtt`, `frigate` and "
    "`onRecognition` are set. Ctrl-C or SIGTERM stops all. "
    "FACES_DIR in the environment sets datasetPath, PORT the port, and CAMERA_URL a camera."
)
@config_option
def command(config_source: ConfigSource) -> int:
    """Run the command."""
    from face_det.programs import Program, run_programs

    config = config_source.load()
    environ = dict(os.environ)
    if faces := environ.get("FACES_DIR"):
        environ.setdefault(environment_variable("datasetPath"), str(Path.cwd() / faces))
    ours = [sys.executable, "-m", "face_det.cli.main"]
    given = [] if config_source.path is None else ["--config", str(config_source.path)]
    commands = {"daemon": "serve", "web": "web"}
    if any(camera.live for camera in config.cameras.values()):
        commands["watch"] = "watch"
    if config.mqtt is not None:
        commands["mqtt"] = "mqtt"
    if config.on_recognition:
        commands["actions"] = "actions"
    if config.frigate is not None:
        commands["frigate"] = "frigate"
    return run_programs(
        [Program(name, [*ours, command, *given]) for name, command in commands.items()], environ
    )
