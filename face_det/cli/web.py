"""The command `face-det web`: runs the gateway in the foreground."""

from __future__ import annotations

import os

import click

from face_det.cli.shared_options import ConfigSource, config_option


@click.command(
    help="Serve the page and the HTTP routes, as a client of the daemon. SIGTERM and SIGINT stop it. "
    "PORT in the environment sets the port, and CAMERA_URL a camera."
)
@config_option
def command(config_source: ConfigSource) -> None:
    """Run the command."""
    from face_det.gateway import apply_environment, run_gateway

    run_gateway(apply_environment(config_source.load(), os.environ))
