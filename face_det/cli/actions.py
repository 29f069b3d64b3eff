"""The command `face-det actions`: runs commands, calls webhooks and switches pins when somebody is seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from face_det.cli.shared_options import ConfigSource, config_option
from face_det.config import Config, OnRecognition
from face_det.errors import ConfigError

if TYPE_CHECKING:
    from face_det.integrations import Action, Effect, Pin

CALL_TIMEOUT_S = 60.0


@click.command(
    help="Do what `onRecognition` in config.json says when somebody is seen: run commands, call webhooks, "
    "switch pins. SIGTERM and SIGINT stop it."
)
@config_option
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    help="The folder for the log of failed actions; default: statePath.",
)
def command(config_source: ConfigSource, state: Path | None) -> None:
    """Run the command."""
    from face_det.integrations import run_actions
    from face_det.logs import configure_logging
    from face_det.rpc import AsyncClient

    config = config_source.load()
    if not config.on_recognition:
        raise ConfigError(
            [
                "onRecognition: is not set, so there is nothing to do; set it to a list of actions such as "
                '{"name": "bell", "command": ["/usr/local/bin/bell"]}'
            ]
        )
    if config.sightings is None:
        raise ConfigError(["sightings: is not set, so there are no events; set it to {}"])
    configure_logging(config.log_level)
    actions = plan_actions(config)
    run_actions(AsyncClient.configured(config, CALL_TIMEOUT_S), actions, state or config.state_path)


def plan_actions(config: Config) -> list[Action]:
    """Return the actions that the configuration asks for; raise ConfigError if a pin cannot be used."""
    from face_det.integrations import Action, Conditions, Hours

    pins: dict[str, Pin] = {}
    gap_s = Action.visit_gap_s if config.sightings is None else config.sightings.visit_gap
    return [
        Action(
            one.name,
            _plan_effect(one, pins),
            Conditions(
                persons=one.persons,
                cameras=one.cameras,
                outcomes=one.outcomes,
                hours=Hours.parse(one.hours) if one.hours else None,
                opens=one.opens,
                never_unlock=config.never_unlock,
                heard=one.heard,
            ),
            once_per_visit=one.once_per_visit,
            attempts=one.attempts,
            max_age_s=one.max_age,
            visit_gap_s=gap_s,
        )
        for one in config.on_recognition
    ]


def _plan_effect(one: OnRecognition, pins: dict[str, Pin]) -> Effect:
    from face_det.integrations import Command, Pin, Pulse, Webhook, WebhookSettings

    if one.command:
        return Command(one.command, one.timeout)
    if one.webhook:
        settings = WebhookSettings(
            one.webhook, one.format, one.message, one.token_file, one.verify_tls, one.timeout
        )
        return Webhook(one.name, settings)
    if one.gpio not in pins:
        pins[one.gpio] = Pin(one.gpio, active_low=one.active_low)
    return Pulse(pins[one.gpio], one.seconds)
