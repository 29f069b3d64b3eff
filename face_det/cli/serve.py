"""The command `face-det serve`: runs the daemon in the foreground."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import click

from face_det.cli.shared_options import ConfigSource, config_option
from face_det.config import Config

if TYPE_CHECKING:
    from face_det.service import Service


@click.command(
    help="Run the daemon, which answers calls over zerorpc. SIGHUP reloads it; SIGTERM and SIGINT stop it."
)
@config_option
def command(config_source: ConfigSource) -> None:
    """Run the command."""
    # OpenBLAS reads it when numpy is loaded. Galleries are small: its threads mostly wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from face_det.daemon import run_daemon

    if not run_daemon(config_source.load, _assemble, os.environ, config_path=config_source.path):
        # A thread is still running native code. A normal exit would wait for it, or unload the
        # libraries that it is using.
        logging.shutdown()
        os._exit(0)


def _assemble(config: Config, predecessor: Service | None) -> Service:
    """Build the service. The networks take a second to import, so do it once the endpoint is ours."""
    from face_det.service import build_service

    return build_service(config, predecessor, remember=True)
