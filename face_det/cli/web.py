"""The command `face-det web`: runs the gateway in the foreground."""

from __future__ import annotations

import click

from face_det.cli.shared_options import ConfigSource, config_option


@click.command(
    help="Serve the page and the HTTP routes, as a client of the daemon. SIGTERM and SIGINT stop it."
)
@config_option
def command(config_source: ConfigSource) -> None:
    """Run the command."""
    from face_det.gateway import run_gateway

    run_gateway(config_source.load())
