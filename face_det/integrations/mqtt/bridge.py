"""Publishes the daemon's events to a broker, each once, and tells Home Assistant of cameras and people."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import secrets
import time
from collections.abc import Sequence
from typing import Any

from face_det.errors import FaceDetError, TopicRefused, TryAgain, UnknownSighting, Unreachable
from face_det.integrations.consumer import EventConsumer
from face_det.integrations.daemon import CALL_S, Daemon
from face_det.integrations.lease import CursorLease, Owner, hold_and_tell
from face_det.integrations.mqtt.commands import Commands
from face_det.integrations.mqtt.connection import Broker, BrokerConnection, Message
from face_det.integrations.mqtt.discovery import COMMAND, camera_id, describe_entities
from face_det.integrations.mqtt.double_take import count_topic, render_double_take
from face_det.integrations.mqtt.events import PEOPLE_EVENTS, Camera, Scene, render_event, render_heard
from face_det.integrations.mqtt.options import BridgeOptions
from face_det.programs import run_until_stopped
from face_det.rpc import AsyncClient
from face_det.systemd import Notifier

log = logging.getLogger(__name__)

SESSION_S = 7 * 24 * 3600
"""How long the broker remembers, while we are disconnected, which event it had last."""
SYNC_S = 20.0
"""How long our own messages may take to come back after we connect."""
REFUSED_PAUSE_S = 30.0
"""How long to wait before a topic that was refused is tried again."""
RECALL = 1000
"""How many events before the cursor are read at the start, to learn who is there."""
CHECK_S = 15.0
"""How often the daemon is asked whether it is there."""
PEOPLE_CHECKS = 4
"""After every so many of these checks, the daemon is also asked who is enrolled."""
MOST_COMMANDS = 8
"""How many commands may wait; each may take minutes."""


class Bridge:
    """Publishes events until cancelled.

    An event is handled when the broker has taken it; only then does the cursor move. We subscribe to our
    own events, in a session that the broker keeps, and leave the newest unacknowledged. So after a crash
    or a lost connection the broker tells us which event it had last, and that one is not sent again.
    """

    def __init__(
        self, broker: Broker, daemon: Daemon, options: BridgeOptions, lease: CursorLease | None = None
    ) -> None:
        """A `lease` is of the cursor of `options`, and held while this runs."""
        self._topics = topics = options.topics
        self._daemon = daemon
        self._options = options
        self.connection = BrokerConnection(
            broker,
            f"face_det-{topics.node}",
            topics=(*topics.events, topics.sync, topics.birth, topics.configs),
            as_published=() if options.fetch_picture is None else (topics.commands,),
            will=Message(topics.status, b"offline", retain=True),
            session_s=SESSION_S,
            acknowledge=False,
        )
        self._consumer = EventConsumer(daemon, options.cursor, self._handle, lease=lease)
        self._scene = Scene()
        self._log: str | None = None
        self._people: tuple[str, ...] = ()
        self._newest: Message | None = None
        self._awaited: tuple[bytes, asyncio.Event] | None = None
        # The number of the connection on which all that the broker had stored for us has come.
        self._synced = 0
        self._told: dict[str, bytes] = {}
        self._telling = asyncio.Lock()
        self._untold: set[str] = set()
        self._commands: asyncio.Queue[tuple[Message, str | None]] = asyncio.Queue(MOST_COMMANDS)
        self._images: dict[str, int] = {}
        self._notifier = Notifier(os.environ)
        self._refusal: str | None = None

    async def run(self) -> None:
        """Publish until cancelled; raises the daemon's error if it keeps no events."""
        self._notifier.ready("connecting")
        log.info("ready: publishing events to %s as %s", self.connection.broker, self._topics.base)
        work = [
            asyncio.ensure_future(one)
            for one in (
                self.connection.run(self._receive, self._connected),
                self._consumer.run(),
                self._watch_forever(),
                self._carry_out_commands(),
            )
        ]
        try:
            # Unlike gather, this leaves the connection alone when we are cancelled, to say goodbye on.
            ended, _ = await asyncio.wait(work, return_when=asyncio.FIRST_EXCEPTION)
            for task in ended:
                task.result()
        finally:
            await self._say_goodbye()
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _catch_up(self) -> None:
        """Learn who is there now, however old the events are that are still to be published."""
        while True:
            answer = await self._daemon.call("events", self._scene.seq, 0, timeout_s=CALL_S)
            if answer["log"] != self._log:
                last = await self._daemon.call("cursor", self._options.cursor, "newest", timeout_s=CALL_S)
                begin = 0 if self._log else max(0, last - RECALL)
                self._log, self._scene = answer["log"], Scene(seq=begin)
                continue
            for event in answer["events"]:
                self._scene.apply(event, time.time())
            if answer["last"] <= self._scene.seq or not answer["events"]:
                break
        await self._read_people()

    async def _read_people(self) -> None:
        self._people = tuple(one["name"] for one in await self._daemon.call("people", timeout_s=CALL_S))

    # What the broker is told ------------------------------------------------------------------

    async def _connected(self) -> None:
        """Learn which event the broker had last, then tell it everything that is not an event."""
        nonce, done = secrets.token_bytes(16), asyncio.Event()
        self._awaited = (nonce, done)
        try:
            await self.connection.publish(self._topics.sync, nonce)
            await asyncio.wait_for(done.wait(), SYNC_S)
        except (asyncio.TimeoutError, TopicRefused):
            log.warning(
                "broker %s: our own messages at %s/# do not come back, so an event may be sent twice if this "
                "program is killed while it sends one; let this user read that topic",
                self.connection.broker,
                self._topics.base,
            )
        await self._tell_everything()

    async def _tell_everything(self) -> None:
        try:
            await self._catch_up()
        except TryAgain:
            # The broker may still have retained that we are online.
            await self._publish(self._topics.status, b"offline", retain=True)
            raise
        await self._tell_entities(again=True)
        await self._publish(self._topics.status, b"online", retain=True)
        self._images.clear()
        for name in self._cameras():
            await self._tell_camera(name, self._scene.cameras.get(name, Camera()))
        for person in self._people:
            if person in self._scene.people:
                await self._publish(self._topics.person(person), self._scene.render_person(person))

    async def _tell_entities(self, *, again: bool = False) -> None:
        """Announce the entities that the broker does not have yet; `again` announces all of them."""
        async with self._telling:
            entities = describe_entities(self._topics, self._cameras(), self._people, self._options.page)
            for topic in self._told.keys() - entities.keys():
                await self._publish(topic, b"", retain=True)
                del self._told[topic]
            for topic, payload in entities.items():
                if again or self._told.get(topic) != payload:
                    await self._publish(topic, payload, retain=True)
                    self._told[topic] = payload

    async def _tell_people(self) -> None:
        """Learn who is enrolled, and announce them if that has changed: not every change has an event."""
        before = self._people
        await self._read_people()
        if before != self._people:
            await self._tell_entities()

    async def _tell_camera(self, name: str, camera: Camera) -> None:
        """Tell who is at a camera. The picture comes first: an automation may want it with the event."""
        if camera.sighting is not None and self._images.get(name) != camera.sighting:
            try:
                picture = await self._daemon.call("thumbnail", camera.sighting, timeout_s=CALL_S)
                await self._publish(self._topics.image(name), bytes(picture))
            except UnknownSighting as error:
                log.info("camera %s: the last face is gone: %s", name, error)
            self._images[name] = camera.sighting
        messages = {
            self._topics.state(name): camera.render_state(),
            self._topics.seen(name): camera.render_seen(),
        }
        if self._options.double_take:
            messages[count_topic(camera_id(name))] = str(len(camera.people)).encode()
        # One after the other: of two answers in a row, most brokers hold the second back until the first is
        # confirmed, which takes 40 ms (Nagle's algorithm); our next message confirms it at once.
        for topic, payload in messages.items():
            await self._publish(topic, payload)

    def _cameras(self) -> Sequence[str]:
        return tuple(dict.fromkeys((*self._options.cameras, *self._scene.cameras)))

    async def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        await self.connection.publish(topic, payload, retain=retain)

    # What the daemon and the broker tell us ---------------------------------------------------

    async def _handle(self, event: dict[str, Any]) -> None:
        """Publish what follows from an event; return once the broker has it."""
        while True:
            await self.connection.wait_usable()
            try:
                await self._pass_on(event)
            except TopicRefused as error:
                self._note_refusal(str(error))
                await asyncio.sleep(REFUSED_PAUSE_S)
            except Unreachable:
                await asyncio.sleep(0.1)
            except TryAgain as error:
                log.warning("event %d waits for the daemon: %s", event["seq"], error)
                await asyncio.sleep(1)
            else:
                self._note_refusal(None)
                return

    async def _pass_on(self, event: dict[str, Any]) -> None:
        if event["type"] in PEOPLE_EVENTS:
            await self._tell_people()
            return
        name = event["camera"]
        if not name:
            return
        if event["type"] == "heard":
            late = time.time() - event["time"] > self._options.late_after_s
            await self._publish(self._topics.heard(name, late=late), render_heard(event))
            return
        if event["seq"] > self._scene.seq:
            # Older events change nothing that has not been told since the connection was made.
            self._untold.add(name)
        before = self._cameras()
        self._scene.apply(event, time.time())
        if before != self._cameras():
            if name not in before and camera_id(name) != name:
                log.info("camera %s is called %s in topics", name, camera_id(name))
            await self._tell_entities()
        if name in self._untold and name in self._scene.cameras:
            await self._tell_camera(name, self._scene.cameras[name])
            if event["type"] == "seen" and event["name"]:
                await self._tell_place(event["name"])
        self._untold.discard(name)
        if event["type"] == "seen":
            await self._tell_sighting(name, event)

    async def _tell_place(self, person: str) -> None:
        if person not in self._people:
            await self._tell_people()
        if person in self._people:
            await self._publish(self._topics.person(person), self._scene.render_person(person))

    async def _tell_sighting(self, name: str, event: dict[str, Any]) -> None:
        late = time.time() - event["time"] > self._options.late_after_s
        message = render_event(event)
        if self._newest is not None and self._newest.payload == message:
            log.info("event %d: the broker already has it", event["seq"])
            return
        if self._options.double_take and not late:
            # Before the event itself: if we are killed in between, these are sent again, with the same id.
            box = await self._find_box(event["sighting"])
            messages = render_double_take(event, camera_id(name), self._topics.node, box, self._people)
            for topic, payload in messages:
                await self._publish(topic, payload)
        await self._publish(self._topics.late(name) if late else self._topics.event(name), message)

    async def _find_box(self, sighting: int) -> dict[str, float] | None:
        """Return where a face is in its picture, in pixels; None if the sighting has been removed."""
        try:
            answer = await self._daemon.call("sighting", sighting, timeout_s=CALL_S)
        except UnknownSighting:
            return None
        return dict(answer["faceBox"])

    async def _receive(self, message: Message) -> None:
        """Take a message from the broker: one of ours, a command, or Home Assistant's birth message."""
        topics = self._topics
        if message.topic == topics.birth:
            self.connection.acknowledge(message)
            if message.payload == b"online" and not message.retain:
                log.info("Home Assistant has started")
                await self._tell_everything()
        elif message.topic == topics.sync:
            self.connection.acknowledge(message)
            if self._awaited is not None and message.payload == self._awaited[0]:
                self._synced = self.connection.number
                self._awaited[1].set()
        elif message.topic.startswith(f"{topics.base}/{COMMAND}/"):
            self.connection.acknowledge(message)
            self._take_command(message)
        elif message.topic.startswith(f"{topics.base}/"):
            # The previous event was handled, and the cursor moved, before this one was sent.
            before, self._newest = self._newest, message
            if before is not None:
                self.connection.acknowledge(before)
        else:
            self.connection.acknowledge(message)
            if message.payload:
                self._told[message.topic] = message.payload

    def _take_command(self, message: Message) -> None:
        """Queue a command, or the reason why it is refused."""
        refusal = None
        if message.retain:
            refusal = (
                "it is retained, so the broker would repeat it at each connection; publish it without retain"
            )
        elif not self.connection.usable and self._synced != self.connection.number:
            # Messages that the broker had stored for us come before our own one.
            refusal = "it was sent while face-det mqtt was not connected, perhaps long ago; send it again"
        try:
            self._commands.put_nowait((message, refusal))
        except asyncio.QueueFull:
            log.warning("%s: %d commands are waiting; this one is dropped", message.topic, MOST_COMMANDS)

    async def _carry_out_commands(self) -> None:
        """Carry out commands one after the other, and publish how each went."""
        if self._options.fetch_picture is None:
            return
        commands = Commands(self._daemon, self._options.fetch_picture)
        while True:
            message, refusal = await self._commands.get()
            result = await commands.run(message.topic.rpartition("/")[2], message.payload, refusal)
            try:
                await self._publish(self._topics.result, result)
            except TryAgain as error:
                log.warning("the result of %s was not published: %s", message.topic, error)

    async def _watch_forever(self) -> None:
        """Publish whether the daemon is there, which Home Assistant shows, and feed systemd's watchdog."""
        there: bool | None = None
        for check in itertools.count():
            self._notifier.alive()
            self._notifier.status(self.connection.reason or "connected")
            try:
                await self._daemon.call("status", timeout_s=CALL_S)
                now = True
            except TryAgain:
                now = False
            if now != there and self.connection.usable:
                try:
                    await self._publish(self._topics.status, b"online" if now else b"offline", retain=True)
                    if now and there is False:
                        await self._tell_everything()
                    there = now
                except TryAgain as error:
                    log.warning("%s", error)
            elif now and self.connection.usable and check % PEOPLE_CHECKS == 0:
                with contextlib.suppress(TryAgain):
                    await self._tell_people()
            await asyncio.sleep(CHECK_S)

    async def _say_goodbye(self) -> None:
        """Publish `offline`: the broker sends the will only if a client vanishes."""
        try:
            await asyncio.wait_for(self._publish(self._topics.status, b"offline", retain=True), 2)
        except (FaceDetError, asyncio.TimeoutError):
            log.info("the broker was not told that we are stopping")

    def _note_refusal(self, reason: str | None) -> None:
        if reason is not None and reason != self._refusal:
            log.error("%s; events wait until then", reason)
        self._refusal = reason


def run_bridge(broker: Broker, daemon: AsyncClient, options: BridgeOptions) -> None:
    """Publish the daemon's events to a broker until SIGTERM or SIGINT, alone: the broker would mix up two."""
    lease = CursorLease(daemon, options.cursor, Owner(f"{options.cursor} {daemon}"))
    run_until_stopped(
        lambda: hold_and_tell(lease, lambda: Bridge(broker, daemon, options, lease).run()), daemon
    )
