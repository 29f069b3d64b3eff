"""The command `face-det up`: runs the daemon and the gateway together."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from face_det.cli.shared_options import ConfigSource, config_option
from face_det.config import environment_variable


@click.command(
    help="Run the daemon and the page in the foreground, with one log. Ctrl-C or SIGTERM stops both. "
    "FACES_DIR in the environment sets datasetPath, PORT the port, and CAMERA_URL a camera."
)
@config_option
def command(config_source: ConfigSource) -> int:
    """Run the command."""
    from face_det.programs import Program, run_programs

    config_source.load()
    environ = dict(os.environ)
    if faces := environ.get("FACES_DIR"):
        environ.setdefault(environment_variable("datasetPath"), str(Path.cwd() / faces))
    ours = [sys.executable, "-m", "face_det.cli.main"]
    given = [] if config_source.path is None else ["--config", str(config_source.path)]
    return run_programs(
        [Program("daemon", [*ours, "serve", *given]), Program("web", [*ours, "web", *given])], environ
    )
