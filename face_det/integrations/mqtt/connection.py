"""A connection to an MQTT broker that reconnects whenever it is lost."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions
from tenacity import RetryCallState, wait_random_exponential

from face_det.errors import TopicRefused, TryAgain, Unreachable

log = logging.getLogger(__name__)

ANSWER_S = 20.0
"""How long the broker may take to accept a connection, a message or a subscription."""
KEEPALIVE_S = 20
LONGEST_PAUSE_S = 30.0
"""The longest pause before the next attempt to connect."""


class BrokerSettings(Protocol):
    """What is read from the settings in `mqtt`."""

    host: str
    port: int
    user: str
    password_file: Path | None
    tls: bool
    ca_file: Path | None
    certificate: Path | None
    key: Path | None


@dataclass(frozen=True)
class Broker:
    """Where a broker is, and how to log in. The password file is read at each connection."""

    host: str
    port: int = 1883
    user: str = ""
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @classmethod
    def configured(cls, settings: BrokerSettings) -> Broker:
        """Return the broker of the settings in `mqtt`."""
        return cls(**{part.name: getattr(settings, part.name) for part in fields(cls)})

    def with_login(self, user: str, password_file: Path | None) -> Broker:
        """Return the same broker with another login, as far as one is given."""
        return replace(self, user=user or self.user, password_file=password_file or self.password_file)

    def __str__(self) -> str:
        """Return host and port, for messages."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Message:
    """A message as it is sent or received.

    `number` is its packet identifier, for `acknowledge`; 0 if it came at QoS 0.
    """

    topic: str
    payload: bytes
    retain: bool = False
    number: int = 0


@dataclass
class _Live:
    """One connection, and what ends with it."""

    client: paho.Client
    accepted: asyncio.Future[bool]
    lost: asyncio.Future[str]
    received: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    answers: dict[int, asyncio.Future[list[ReasonCode]]] = field(default_factory=dict)


class BrokerConnection:
    """Speaks MQTT 5 with a broker until cancelled, and reconnects for as long as it takes.

    `will` is published by the broker if we vanish. The broker keeps our session, with undelivered messages,
    for `session_s` after the connection is lost. `run` hands each message of `topics` to `received`, one at a
    time, and then acknowledges it; with `acknowledge` false, the caller does that. `as_published` are topics
    as well, whose messages keep their retain flag even when they are new (Retain As Published). The log says
    once why there is no connection, and once that there is one.
    """

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        *,
        topics: tuple[str, ...] = (),
        as_published: tuple[str, ...] = (),
        will: Message | None = None,
        session_s: int = 0,
        acknowledge: bool = True,
    ) -> None:
        self.broker = broker
        self._client_id = client_id
        self._topics = {
            **dict.fromkeys(topics, SubscribeOptions(qos=1)),
            **dict.fromkeys(as_published, SubscribeOptions(qos=1, retainAsPublished=True)),
        }
        self._will = will
        self._session_s = session_s
        self._acknowledge = acknowledge
        self._live: _Live | None = None
        self._usable = asyncio.Event()
        self.number = 0
        """How many connections there have been; the present one's number."""
        self.reason: str | None = None
        """Why there is no connection; None while there is one, and before the first attempt."""

    async def run(
        self,
        received: Callable[[Message], Awaitable[None]],
        connected: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Connect, subscribe, await `connected`, then receive; again whenever the connection is lost."""
        pause = wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE_S)
        state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
        while True:
            try:
                live = await self._connect()
            except (Unreachable, OSError, ValueError) as error:
                self._note(str(error) or type(error).__name__)
            else:
                ended = asyncio.ensure_future(self._use(live, received, connected))
                try:
                    await _first(ended, live.lost)
                    if ended.done() and not isinstance(ended.exception(), TryAgain):
                        ended.result()
                    if self._usable.is_set():
                        state.attempt_number = 1
                    self._note(live.lost.result() if live.lost.done() else str(ended.exception()))
                finally:
                    ended.cancel()
                    await asyncio.gather(ended, return_exceptions=True)
                    await self._disconnect(live)
            await asyncio.sleep(pause(state))
            state.attempt_number += 1

    async def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish at QoS 1; return once the broker has taken it.

        Raises Unreachable if there is no connection, or it is lost before the broker has said so, and
        TopicRefused.
        """
        live = self._live
        if live is None:
            raise Unreachable(f"broker {self.broker}: {self.reason or 'not connected yet'}")
        info = live.client.publish(topic, payload, qos=1, retain=retain)
        (code,) = await self._answer(live, info.rc, info.mid)
        if code.is_failure:
            raise TopicRefused(
                f"broker {self.broker}: {topic}: must allow {self.broker.user or 'anybody'} to publish, "
                f"got {code}; change the broker's access rules"
            )

    def acknowledge(self, message: Message) -> None:
        """Acknowledge a message, so that it does not come again; without a connection, do nothing."""
        if self._live is not None and message.number:
            self._live.client.ack(message.number, 1)

    @property
    def usable(self) -> bool:
        """Whether there is a connection, and `connected` has been awaited."""
        return self._usable.is_set()

    async def wait_usable(self) -> None:
        """Wait until there is a connection, and `connected` has been awaited."""
        await self._usable.wait()

    async def _use(
        self,
        live: _Live,
        received: Callable[[Message], Awaitable[None]],
        connected: Callable[[], Awaitable[None]] | None,
    ) -> None:
        receiving = asyncio.ensure_future(self._receive(live, received))
        try:
            for topic, options in self._topics.items():
                rc, number = live.client.subscribe(topic, options=options)
                (code,) = await self._answer(live, rc, number or 0)
                if code.is_failure:
                    log.warning(
                        "broker %s: %s: must allow us to subscribe, got %s; change the broker's rules",
                        self.broker,
                        topic,
                        code,
                    )
            if connected is not None:
                await connected()
            if self.reason is not None:
                log.info("broker %s: is back", self.broker)
            self.reason = None
            self._usable.set()
            await receiving
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)

    async def _receive(self, live: _Live, received: Callable[[Message], Awaitable[None]]) -> None:
        while True:
            message = await live.received.get()
            await received(message)
            # A message at QoS 0 has no number; acknowledging it makes a broker close the connection.
            if self._acknowledge and message.number:
                live.client.ack(message.number, 1)

    async def _answer(self, live: _Live, rc: MQTTErrorCode, number: int) -> list[ReasonCode]:
        """Wait for the broker's answer to one of our packets."""
        if rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Unreachable(f"broker {self.broker}: {paho.error_string(rc)}")
        answer = live.answers.setdefault(number, asyncio.get_running_loop().create_future())
        try:
            await _first(answer, live.lost, timeout_s=ANSWER_S)
        finally:
            live.answers.pop(number, None)
        if answer.done():
            return answer.result()
        why = live.lost.result() if live.lost.done() else f"no answer within {ANSWER_S:g} s"
        raise Unreachable(f"broker {self.broker}: {why}")

    async def _connect(self) -> _Live:
        live = self._prepare()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._session_s
        try:
            await asyncio.to_thread(
                live.client.connect,
                self.broker.host,
                self.broker.port,
                KEEPALIVE_S,
                clean_start=self._session_s == 0,
                properties=properties,
            )
            live.client.loop_start()
            await _first(live.accepted, live.lost, timeout_s=ANSWER_S)
            if not live.accepted.done() or live.lost.done():
                why = live.lost.result() if live.lost.done() else f"no answer within {ANSWER_S:g} s"
                raise Unreachable(why)
        except BaseException:
            await self._disconnect(live)
            raise
        self._live = live
        self.number += 1
        return live

    async def _disconnect(self, live: _Live) -> None:
        self._live = None
        self._usable.clear()
        live.client.disconnect()
        await asyncio.to_thread(live.client.loop_stop)

    def _note(self, reason: str) -> None:
        if reason != self.reason:
            log.warning("broker %s: %s; retrying", self.broker, reason)
        self.reason = reason

    def _prepare(self) -> _Live:
        """Return a client that is not connected; its thread hands everything over to this loop."""
        loop = asyncio.get_running_loop()
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = ANSWER_S
        self._authenticate(client)
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=self._will.retain)
        live = _Live(client, loop.create_future(), loop.create_future())

        def post(action: Callable[..., None], *args: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(action, *args)

        def settle(future: asyncio.Future[object], value: object) -> None:
            if not future.done():
                future.set_result(value)

        def answer(number: int, codes: list[ReasonCode]) -> None:
            settle(live.answers.setdefault(number, loop.create_future()), codes)  # type: ignore[arg-type]

        def on_connect(client: object, data: object, flags: object, code: ReasonCode, more: object) -> None:
            if code.is_failure:
                post(settle, live.lost, f"refuses the connection: {code}")
            else:
                post(settle, live.accepted, True)

        def on_message(client: object, data: object, one: paho.MQTTMessage) -> None:
            post(live.received.put_nowait, Message(one.topic, bytes(one.payload), one.retain, one.mid))

        def on_socket_open(client: object, data: object, opened: Any) -> None:
            # Otherwise Nagle's algorithm holds a message back until the one before is confirmed: 40 ms.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        client.on_connect = on_connect
        client.on_socket_open = on_socket_open
        client.on_message = on_message
        client.on_disconnect = lambda client, data, flags, code, more: post(
            settle, live.lost, f"the connection is lost: {code}"
        )
        client.on_publish = lambda client, data, number, code, more: post(answer, number, [code])
        client.on_subscribe = lambda client, data, number, codes, more: post(answer, number, codes)
        return live

    def _authenticate(self, client: paho.Client) -> None:
        broker = self.broker
        if broker.user:
            secret = None
            if broker.password_file is not None:
                secret = broker.password_file.read_text("utf-8").rstrip("\r\n")
            client.username_pw_set(broker.user, secret)
        if broker.tls:
            context = ssl.create_default_context(cafile=broker.ca_file)
            if broker.certificate is not None:
                context.load_cert_chain(broker.certificate, broker.key)
            client.tls_set_context(context)


async def _first(*futures: asyncio.Future[Any], timeout_s: float | None = None) -> None:
    """Wait until one of them is done, or the time is up."""
    await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
