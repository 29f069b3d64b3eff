"""The command `face-det zm-event`: names the people in an event of ZoneMinder."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click

from face_det.cli.shared_options import ConfigSource, config_option
from face_det.cli.terminal import make_printable
from face_det.config import Config
from face_det.errors import ConfigError

if TYPE_CHECKING:
    from face_det.integrations import EventReport

CALL_TIMEOUT_S = 60.0


@click.command(
    help="Name the people in an event of ZoneMinder, and write their names into its notes and, from 1.38 on, "
    "its tags; also into objdetect.jpg and objects.json if `zoneminder.eventsPath` is set."
)
@click.argument("event", type=click.IntRange(min=1), metavar="EID")
@click.option("--mid", type=click.IntRange(min=1), help="The monitor to which the event must belong.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@config_option
def command(event: int, mid: int | None, as_json: bool, config_source: ConfigSource) -> None:
    """Run the command."""
    report = asyncio.run(_process(config_source.load(), event, mid))
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
        return
    for one in report.people:
        click.echo(make_printable(f"{one.label} {one.confidence:.0%}, best in frame {one.frame}"))
    click.echo(make_printable(f"notes: {report.notes}"))
    if report.partial:
        click.echo("the event is still being recorded: run this again when it has ended", err=True)
    for problem in report.unwritten:
        click.echo(f"face-det: {problem}", err=True)


async def _process(config: Config, eid: int, mid: int | None) -> EventReport:
    from face_det.integrations import Portal, ServerSettings, process_event
    from face_det.rpc import AsyncClient

    about = config.zoneminder
    if about is None:
        raise ConfigError(['zoneminder: is not set; set it to {"url": "http://127.0.0.1/zm"}'])
    settings = ServerSettings.configured(about)
    async with AsyncClient.configured(config, CALL_TIMEOUT_S) as daemon, Portal(settings) as portal:
        return await process_event(
            daemon, portal, eid, mid=mid, events_path=about.events_path, max_wait_s=about.max_wait
        )
