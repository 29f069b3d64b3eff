"""Checks the Frigate in config.json: its API, our role there, its broker, and the program that follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from face_det.config import Config, Frigate
from face_det.doctor.checks import CheckResult, CheckState
from face_det.doctor.running import check_running
from face_det.errors import ConfigError, PortalFailed, Unreachable

ADMIN = "admin"
COMMAND = "face-det frigate"


def check_frigate(config: Config, status: Mapping[str, Any] | None) -> Iterator[CheckResult]:
    """Check what is configured in `frigate`, if anything; `status` is the daemon's, None without one."""
    about = config.frigate
    if about is None:
        return
    yield _ask_the_api(about)
    if config.mqtt is None:
        advice = 'set mqtt to {"host": "ADDRESS OF THE BROKER"}'
        yield CheckResult("frigate", CheckState.NOT_OK, "mqtt is not set: events come by its broker", advice)
        return
    yield _ask_the_broker(config)
    yield from check_running("frigate", COMMAND, [f"frigate-{config.mqtt.id}"], status)


def _ask_the_api(about: Frigate) -> CheckResult:
    from face_det.integrations import FrigateServer, ServerSettings, hide_login  # they import httpx

    async def ask() -> str | None:
        async with FrigateServer(ServerSettings.configured(about)) as server:
            return await server.role()

    try:
        role = asyncio.run(ask())
    except (PortalFailed, ConfigError) as error:
        advice = "correct url, user or passwordFile in frigate, or start Frigate"
        return CheckResult("frigate", CheckState.NOT_OK, str(error), advice)
    place = f"Frigate at {hide_login(about.url)}"
    if role not in (None, ADMIN):
        text = f"{place} takes us for a {role}, who may not set sub labels"
        advice = f"give the user in frigate.user the role {ADMIN} in Frigate, or use its port 5000"
        return CheckResult("frigate", CheckState.NOT_OK, text, advice)
    return CheckResult("frigate", CheckState.OK, f"{place} answers{f', role {role}' if role else ''}")


def _ask_the_broker(config: Config) -> CheckResult:
    from face_det.integrations import Broker, inquire  # only now: it imports paho

    about, mqtt = config.frigate, config.mqtt
    assert about is not None
    assert mqtt is not None
    broker = Broker.configured(mqtt).with_login(about.mqtt_user, about.mqtt_password_file)
    topic = f"{about.topic_prefix}/available"
    try:
        there = asyncio.run(inquire(broker, topic))
    except Unreachable as error:
        advice = "start the broker, or correct host, port and login in mqtt, or mqttUser in frigate"
        return CheckResult("frigate", CheckState.NOT_OK, str(error), advice)
    if there == "online":
        return CheckResult("frigate", CheckState.OK, f"broker {broker} says that Frigate is online")
    text = f"broker {broker} says at {topic}: {there or 'nothing'}, must say online"
    advice = "start Frigate, let it use this broker, or correct frigate.topicPrefix"
    return CheckResult("frigate", CheckState.WARNING, text, advice)
