"""The command `face-det reload`: makes the daemon read its configuration and model again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from face_det.cli.changes import find_change_place
from face_det.cli.shared_options import ConfigSource, daemon_options
from face_det.errors import Unreachable

TIMEOUT_S = 600.0


@click.command(
    help="Make the daemon read its configuration and model again, as SIGHUP does. What does not fit is "
    "rejected, and the daemon keeps what it has. Exit code 75 if none answers."
)
@daemon_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(remote: str | None, keys: Path | None, config_source: ConfigSource, as_json: bool) -> None:
    """Run the command."""
    config = config_source.load()
    place = find_change_place(config, remote, keys)
    if place.status is None:
        raise Unreachable(
            f"{place.endpoint}: a daemon must answer there, got no answer; is it running? "
            "`face-det serve` or `face-det up` starts it. Without one there "
            "is nothing to reload"
        )
    with place.connect(TIMEOUT_S) as client:
        report = client.reload()
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    model = report["model"]
    what = "no model yet" if model is None else f"{model['classifier']} of {len(model['classes'])} classes"
    click.echo(f"reloaded {place}\nmodel: {what}")
    click.echo(f"changed settings: {', '.join(report['changed']) or 'none'}")
    if report["restart_needed"]:
        click.echo(f"these take effect only after a restart: {', '.join(report['restart_needed'])}")
