"""Asks a broker, without disturbing anybody, whether it accepts us and whether a program is online."""

from __future__ import annotations

import asyncio
import secrets

from face_det.errors import Unreachable
from face_det.integrations.mqtt.connection import Broker, BrokerConnection, Message

LIMIT_S = 10.0
"""How long the broker may take to accept the connection."""
STATUS_S = 2.0
"""How long it may take to send what it has retained, which it does right after the subscription."""


async def inquire(broker: Broker, topic: str, limit_s: float = LIMIT_S) -> str | None:
    """Return what the broker has retained at a topic, such as `online`; None for nothing.

    Raises Unreachable with the reason if there is no connection within `limit_s`.
    """
    heard: asyncio.Queue[Message] = asyncio.Queue()
    name = f"face_det-inquiry-{secrets.token_hex(4)}"
    connection = BrokerConnection(broker, name, topics=(topic,))
    running = asyncio.ensure_future(connection.run(heard.put))
    try:
        await _wait_connected(connection, running, limit_s)
        message = await asyncio.wait_for(heard.get(), STATUS_S)
    except asyncio.TimeoutError:
        return None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return message.payload.decode("utf-8", "replace")


async def _wait_connected(
    connection: BrokerConnection, running: asyncio.Future[None], limit_s: float
) -> None:
    """Wait for the connection, or raise Unreachable with the first reason why there is none."""
    usable = asyncio.ensure_future(connection.wait_usable())
    loop = asyncio.get_running_loop()
    end = loop.time() + limit_s
    try:
        while not usable.done():
            if running.done():
                running.result()
            if connection.reason is not None or loop.time() > end:
                why = connection.reason or f"does not answer within {limit_s:g} s"
                raise Unreachable(f"broker {connection.broker}: {why}")
            await asyncio.wait((usable, running), timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
    finally:
        usable.cancel()
