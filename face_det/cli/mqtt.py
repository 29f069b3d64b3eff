"""The command `face-det mqtt`: publishes what the daemon sees to an MQTT broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from face_det.cli.shared_options import ConfigSource, config_option
from face_det.config import Config
from face_det.errors import ConfigError

if TYPE_CHECKING:
    from face_det.integrations import FetchPicture
    from face_det.rpc import AsyncClient

CALL_TIMEOUT_S = 60.0


@click.command(
    help="Publish events, states and faces to the MQTT broker in config.json, for Home Assistant and others. "
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
    daemon = AsyncClient.configured(config, CALL_TIMEOUT_S)
    options = BridgeOptions(
        Topics(about.id, about.discovery_prefix),
        tuple(config.cameras),
        about.late_after,
        about.page or None,
        double_take=about.double_take_topics,
        fetch_picture=_picture_of(config, daemon) if about.commands else None,
    )
    run_bridge(Broker.configured(about), daemon, options)


def _picture_of(config: Config, daemon: AsyncClient) -> FetchPicture:
    """Return a function that fetches a camera's picture, from the watcher if it has the camera open."""
    from face_det.cameras import Cameras, configured_sources
    from face_det.watch import fetch_watched

    sources = configured_sources(config.cameras)

    async def fetch(name: str) -> bytes:
        async with Cameras(sources) as cameras:
            watched = await fetch_watched(daemon, cameras.choose(name))
            return await cameras.fetch_picture(name) if watched is None else watched.data

    return fetch
