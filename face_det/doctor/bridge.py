"""Checks how events reach an MQTT broker: the broker, the bridge, and how far behind the bridge is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from face_det.config import Config
from face_det.doctor.checks import CheckResult, CheckState
from face_det.doctor.running import find_stuck
from face_det.errors import Unreachable


def check_bridge(config: Config, status: Mapping[str, Any] | None) -> Iterator[CheckResult]:
    """Check what is configured in `mqtt`, if anything; `status` is the daemon's, None if it does not run."""
    if config.mqtt is None:
        return
    yield _ask_the_broker(config)
    if status is not None:
        yield from _look_at_the_cursor(f"mqtt-{config.mqtt.id}", status.get("sightings"))


def _ask_the_broker(config: Config) -> CheckResult:
    from face_det.integrations import Broker, Topics, inquire  # only now: it imports paho

    assert config.mqtt is not None
    broker = Broker.configured(config.mqtt)
    try:
        bridge = asyncio.run(inquire(broker, Topics(config.mqtt.id).status))
    except Unreachable as error:
        advice = "start the broker, or correct host, port, user, passwordFile, tls or caFile in mqtt"
        return CheckResult("mqtt", CheckState.NOT_OK, str(error), advice)
    if bridge == "online":
        return CheckResult(
            "mqtt", CheckState.OK, f"broker {broker} accepts the login, and the bridge is online"
        )
    text = f"broker {broker} accepts the login; the bridge is {bridge or 'unknown to it'}"
    advice = "start the bridge: face-det mqtt, or systemctl start face-detect-mqtt"
    return CheckResult("mqtt", CheckState.WARNING, text, advice)


def _look_at_the_cursor(name: str, sightings: Mapping[str, Any] | None) -> Iterator[CheckResult]:
    if sightings is None:
        text = "the daemon keeps no events, so the bridge has nothing to report"
        yield CheckResult("mqtt", CheckState.NOT_OK, text, 'add "sightings": {} to config.json')
        return
    about = (sightings.get("consumers") or {}).get(name)
    if about is None:
        text = f"the daemon has never been asked for events by {name}"
        yield CheckResult("mqtt", CheckState.WARNING, text, "start the bridge: face-det mqtt")
        return
    if (stuck := find_stuck(about, "the bridge")) is not None:
        yield CheckResult(
            "mqtt", CheckState.WARNING, stuck, "the log of face-det mqtt says what it waits for"
        )
    else:
        yield CheckResult("mqtt", CheckState.OK, f"{about['behind']} events wait for the bridge")
