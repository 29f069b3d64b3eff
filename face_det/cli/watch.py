"""The command `face-det watch`: sends the pictures of live cameras to the daemon."""

from __future__ import annotations

import json
from typing import Any

import click

from face_det.cli.shared_options import ConfigSource, config_option, make_client
from face_det.cli.terminal import make_printable
from face_det.config import Config
from face_det.errors import ConfigError

CALL_TIMEOUT_S = 60.0
STATUS_TIMEOUT_S = 10.0
COLUMNS = ("received", "still", "late", "sent", "answered", "faces")


@click.command(
    help="Watch the cameras that are `live` in config.json, and send what moves to the daemon, which names "
    "and remembers the people. SIGTERM and SIGINT stop it."
)
@click.option("--status", "only_status", is_flag=True, help="Only show how the cameras are doing.")
@click.option("--json", "as_json", is_flag=True, help="With --status: print JSON.")
@config_option
def command(config_source: ConfigSource, only_status: bool, as_json: bool) -> None:
    """Run the command."""
    if as_json and not only_status:
        raise click.UsageError("--json needs --status")
    config = config_source.load()
    if only_status:
        with make_client(config, STATUS_TIMEOUT_S) as client:
            _show(client.status().get("cameras") or {}, as_json)
        return
    _watch(config)


def _watch(config: Config) -> None:
    from face_det.cameras import configured_sources
    from face_det.logs import configure_logging
    from face_det.rpc import AsyncClient
    from face_det.watch import run_watcher

    live = {name: camera for name, camera in config.cameras.items() if camera.live}
    if not live:
        raise ConfigError(['cameras: none is live; set "live": true for those that are to be watched'])
    configure_logging(config.log_level)
    sources = list(configured_sources(live).values())
    run_watcher(sources, AsyncClient.configured(config, CALL_TIMEOUT_S))


def _show(cameras: dict[str, dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(cameras, indent=2))
        return
    if not cameras:
        click.echo("no camera is watched: is `face-det watch` running?", err=True)
    for name, about in cameras.items():
        delay = "" if about["delay_s"] is None else f", {about['delay_s']:.1f} s behind"
        counts = ", ".join(f"{about[column]} {column}" for column in COLUMNS)
        reason = f" ({about['reason']})" if about["reason"] else ""
        click.echo(make_printable(f"{name}: {about['state']}{reason}; {counts}{delay}"))
