"""The command `face-det mqtt`: brings what the daemon sees to an MQTT broker."""

from __future__ import annotations

import click

from face_det.cli.shared_options import ConfigSource, config_option
from face_det.errors import ConfigError

CALL_TIMEOUT_S = 60.0


@click.command(
    help="Bring events, states and faces to the MQTT broker in config.json, for Home Assistant and others. "
    "SIGTERM and SIGINT stop it."
)
@config_option
def command(config_source: ConfigSource) -> None:
    """Run the command."""
    from face_det.integrations import BridgeOptions, Broker, Topics, run_bridge
    from face_det.logs import configure_logging
    from face_det.rpc import AsyncClient

    config = config_source.load()
    if config.mqtt is None:
        raise ConfigError(['mqtt: is not set; set it to {"host": "ADDRESS OF THE BROKER"}'])
    if config.sightings is None:
        raise ConfigError(["sightings: is not set, so there are no events; set it to {}"])
    configure_logging(config.log_level)
    about = config.mqtt
    broker = Broker(
        host=about.host,
        port=about.port,
        user=about.user,
        password_file=about.password_file,
        tls=about.tls,
        ca_file=about.ca_file,
        certificate=about.certificate,
        key=about.key,
    )
    options = BridgeOptions(Topics(about.id, about.discovery_prefix), tuple(config.cameras), about.late_after)
    run_bridge(broker, AsyncClient.configured(config, CALL_TIMEOUT_S), options)
