"""The command `face-det frigate`: names the people in Frigate's events."""

from __future__ import annotations

import click

from face_det.cli.shared_options import ConfigSource, config_option
from face_det.errors import ConfigError

CALL_TIMEOUT_S = 60.0


@click.command(
    help="Name the people in Frigate's events, which arrive over MQTT, and set the names as sub labels. "
    "SIGTERM and SIGINT stop it."
)
@config_option
def command(config_source: ConfigSource) -> None:
    """Run the command."""
    from face_det.integrations import Broker, FollowOptions, FrigateOptions, ServerSettings, run_frigate
    from face_det.logs import configure_logging
    from face_det.rpc import AsyncClient

    config = config_source.load()
    about = config.frigate
    if about is None or config.mqtt is None:
        raise ConfigError(
            [
                f"{name}: is not set; set it to {example}"
                for name, example, value in (
                    ("frigate", '{"url": "http://ADDRESS OF FRIGATE:5000"}', about),
                    ("mqtt", '{"host": "ADDRESS OF THE BROKER"}', config.mqtt),
                )
                if value is None
            ]
        )
    if config.sightings is None:
        raise ConfigError(["sightings: is not set, so nobody is remembered; set it to {}"])
    configure_logging(config.log_level)
    broker = Broker.configured(config.mqtt).with_login(about.mqtt_user, about.mqtt_password_file)
    settings = ServerSettings.configured(about)
    options = FrigateOptions(
        config.mqtt.id,
        about.topic_prefix,
        about.cameras,
        about.zones,
        FollowOptions(about.every, about.max_pictures, about.overwrite),
    )
    run_frigate(broker, settings, AsyncClient.configured(config, CALL_TIMEOUT_S), options)
