"""`face-det serve`: the daemon, in the foreground."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from face_det.config import Config, load_config, locate_config

if TYPE_CHECKING:
    from face_det.service import Service


@click.command(help="The daemon: answer calls over zerorpc. SIGHUP reloads, SIGTERM and SIGINT end it.")
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="Default: ./config.json if it is there."
)
def command(config_path: Path | None) -> None:
    """Entry point of the command."""
    from face_det.daemon import run_daemon

    path = locate_config(config_path, os.environ)
    if not run_daemon(lambda: load_config(path, os.environ), _assemble, os.environ):
        # A thread is still at work in native code: leaving as usual would wait for it, or tear down
        # the libraries under its feet.
        logging.shutdown()
        os._exit(0)


def _assemble(config: Config, predecessor: Service | None) -> Service:
    """Networks take a second to import: after the endpoint is known to be free."""
    from face_det.service import build_service

    return build_service(config, predecessor)
