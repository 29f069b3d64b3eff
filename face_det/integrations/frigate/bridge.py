"""Follows Frigate's events as they arrive over MQTT, and fetches those that were missed."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass, field

from tenacity import RetryCallState, wait_random_exponential

from face_det.errors import CursorTaken, DataError, FaceDetError, SightingsOff, TryAgain, UnknownEvent
from face_det.integrations.daemon import CALL_S
from face_det.integrations.frigate.event import FrigateEvent, parse_message
from face_det.integrations.frigate.follower import EventFollower, FollowOptions
from face_det.integrations.frigate.progress import Progress
from face_det.integrations.frigate.server import FrigateServer
from face_det.integrations.http_answers import ServerSettings
from face_det.integrations.lease import CursorLease, Owner, hold_and_tell
from face_det.integrations.mqtt.connection import Broker, BrokerConnection, Message
from face_det.programs import run_until_stopped
from face_det.rpc import AsyncClient
from face_det.systemd import Notifier

log = logging.getLogger(__name__)

OVERLAP_S = 300.0
"""Frigate reports an object only once it is sure of it, so one that began earlier may be reported later."""
LONGEST_PAUSE_S = 60.0
"""The longest pause before a retry."""
AT_ONCE = 8
"""How many missed events are looked at concurrently, and at how many live ones; the others have turns."""
MOST_FOLLOWED = 100
"""So many events are followed at once; more wait for one of them to end, the oldest first."""
MOST_WAITING = 10_000
"""If more than this wait, Frigate is asked for the others later."""
CHECK_S = 15.0
WAITING = "waiting"
"""What the lease calls the number of events that are not yet done."""


@dataclass(frozen=True, slots=True)
class FrigateOptions:
    """Which events are followed, and how. `node` is the name of this installation at the broker."""

    node: str
    topic_prefix: str = "frigate"
    cameras: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    follow: FollowOptions = field(default_factory=FollowOptions)

    @property
    def cursor(self) -> str:
        """The name under which the daemon keeps how far the events are done."""
        return f"frigate-{self.node}"


class FrigateBridge:
    """Follows events until cancelled.

    Frigate publishes at QoS 0, and brokers do not keep such messages for clients that are offline. So the
    daemon stores a time up to which all events are done, and after a gap - this program, the broker or
    Frigate was down, or something failed - the events since then are fetched over HTTP.
    """

    def __init__(
        self, broker: Broker, lease: CursorLease, server: FrigateServer, options: FrigateOptions
    ) -> None:
        """`lease` is of the cursor of `options`, and held while this runs."""
        self._lease = lease
        self._server = server
        self._options = options
        self._events = f"{options.topic_prefix}/events"
        self._available = f"{options.topic_prefix}/available"
        self.connection = BrokerConnection(
            broker, f"face_det-{options.node}-frigate", topics=(self._events, self._available)
        )
        self._progress: Progress | None = None
        self._saved = 0
        self._following: dict[str, EventFollower] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, FrigateEvent] = {}
        self._interrupted: dict[str, FrigateEvent] = {}
        self._behind = asyncio.Event()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._broken: asyncio.Future[None]
        self._reason: str | None = None
        self._notifier = Notifier(os.environ)

    async def run(self) -> None:
        """Follow events until cancelled; raises the daemon's error if it keeps no sightings."""
        self._notifier.ready("connecting")
        log.info("ready: following events of %s, reported by broker %s", self._server, self.connection.broker)
        self._broken = asyncio.get_running_loop().create_future()
        work = [
            asyncio.ensure_future(one)
            for one in (
                self._broken,
                self.connection.run(self._receive, self._connected),
                self._catch_up_forever(),
                self._watch_forever(),
            )
        ]
        try:
            await asyncio.gather(*work)
        finally:
            # Who is cancelled makes room, which is for nobody any more.
            self._waiting.clear()
            rest = [*work, *self._tasks.values()]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

    # What the broker tells us -----------------------------------------------------------------

    async def _connected(self) -> None:
        """Messages may have been missed."""
        self._fall_behind()

    async def _receive(self, message: Message) -> None:
        """Take a message. Nothing here blocks, so messages never queue up."""
        if message.topic == self._available:
            if message.payload == b"online" and not message.retain:
                log.info("Frigate has started")
                self._fall_behind()
            return
        event = parse_message(message.payload)
        if event is None:
            log.warning("%s: must be an event of Frigate, got %.60r", message.topic, message.payload)
            return
        follower = self._following.get(event.id)
        if follower is not None:
            follower.tell(event)
        elif event.id in self._waiting:
            self._waiting[event.id] = event
        elif event.concerns(self._options.cameras, self._options.zones):
            self._begin(event)

    # Events -----------------------------------------------------------------------------------

    def _begin(self, event: FrigateEvent) -> asyncio.Task[None] | None:
        """Follow an event, unless that is done, or being done, or the daemon has not answered yet.

        If too many are being followed, it waits, and counts as not done.
        """
        progress = self._progress
        if progress is None or progress.is_done(event.id) or event.id in self._tasks:
            return None
        if len(self._tasks) >= MOST_FOLLOWED:
            self._put_off(progress, event)
            return None
        self._waiting.pop(event.id, None)
        progress.begin(event.id, _begun(event))
        self._count(progress)
        follower = EventFollower(self._lease, self._server, self._options.follow, event, self._turns)
        self._following[event.id] = follower
        task = asyncio.ensure_future(self._follow(follower))
        task.add_done_callback(self._pass_on_error)
        self._tasks[event.id] = task
        return task

    def _put_off(self, progress: Progress, event: FrigateEvent) -> None:
        if not self._waiting:
            log.warning("%d events are being followed; more of them wait", len(self._tasks))
        if event.id not in self._waiting and len(self._waiting) >= MOST_WAITING:
            self._fall_behind()
            return
        self._waiting[event.id] = event
        progress.begin(event.id, _begun(event))
        self._count(progress)

    def _begin_waiting(self) -> None:
        """Follow the event that waits longest, if there is room."""
        if self._waiting and len(self._tasks) < MOST_FOLLOWED:
            self._begin(next(iter(self._waiting.values())))

    def _pass_on_error(self, task: asyncio.Task[None]) -> None:
        """Nobody may be awaiting the task, and a bug must not pass silently."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _follow(self, follower: EventFollower) -> None:
        event_id = follower.event.id
        try:
            await follower.run()
        except UnknownEvent as error:
            log.info("%s", error)
        except DataError as error:
            log.error("event %s: %s", event_id, error)
        except CursorTaken:
            raise
        except FaceDetError as error:
            # It stays open. What the API says of it lacks what came over MQTT.
            self._interrupted[event_id] = follower.event
            self._note(f"event {event_id} waits: {error}")
            self._behind.set()
            return
        finally:
            del self._following[event_id], self._tasks[event_id]
            self._begin_waiting()
        assert self._progress is not None
        self._progress.finish(event_id)
        self._count(self._progress)
        await self._save()

    def _count(self, progress: Progress) -> None:
        """Let the daemon tell how many events are not done: its cursor, which is a time, does not say so."""
        self._lease.counts[WAITING] = progress.open_count

    async def _save(self) -> None:
        """Have the daemon store our progress. If it does not answer now, it is told after the next event."""
        assert self._progress is not None
        mark = int(self._progress.mark)
        if mark <= self._saved:
            return
        try:
            await self._lease.cursor(mark)
            self._saved = mark
        except CursorTaken:
            raise
        except TryAgain as error:
            self._note(str(error))

    # Events that were missed ------------------------------------------------------------------

    def _fall_behind(self) -> None:
        """Ask for what was missed; until it is known, nothing that comes meanwhile may hide it."""
        if self._progress is not None:
            self._progress.hold()
        self._behind.set()

    async def _catch_up_forever(self) -> None:
        pause = wait_random_exponential(multiplier=1, max=LONGEST_PAUSE_S)
        state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
        self._behind.set()
        while True:
            await self._behind.wait()
            self._behind.clear()
            try:
                await self._catch_up()
            except (SightingsOff, CursorTaken):
                raise
            except FaceDetError as error:
                self._note(str(error))
                self._behind.set()
            if self._behind.is_set():
                await asyncio.sleep(pause(state))
                state.attempt_number += 1
                continue
            state.attempt_number = 1
            self._note(None)

    async def _catch_up(self) -> None:
        """Follow what has happened since the time that the daemon has stored, the oldest events first."""
        if self._progress is None:
            self._saved = await self._lease.call("cursor", self._options.cursor, timeout_s=CALL_S)
            if not self._saved:
                # A new consumer starts with what happens from now on, and with who is there now.
                self._saved = await self._lease.cursor(int(time.time()))
            self._progress = Progress(self._saved)
            self._progress.hold()
        since = self._progress.mark - OVERLAP_S
        missed = [
            event
            for event in await self._server.events(since, self._options.cameras)
            if event.concerns(self._options.cameras, self._options.zones)
        ]
        interrupted, self._interrupted = self._interrupted, {}
        for event in missed:
            if event.end is not None:
                interrupted.pop(event.id, None)
        for event in interrupted.values():
            self._begin(event)
        ended = []
        for event in missed:
            if event.end is None:
                # One that waits has been told over MQTT, which says more of it than the API.
                if event.id not in self._waiting:
                    self._begin(event)
            elif (follower := self._following.get(event.id)) is not None:
                follower.tell(event)
            elif not self._progress.is_done(event.id):
                self._progress.begin(event.id, _begun(event))
                ended.append(event)
        self._count(self._progress)
        if not self._behind.is_set():
            self._progress.release()
        await asyncio.gather(*(self._follow_missed(event) for event in ended))

    async def _follow_missed(self, event: FrigateEvent) -> None:
        async with self._room:
            if (task := self._begin(event)) is not None:
                await task

    async def _watch_forever(self) -> None:
        """Feed systemd's watchdog, and report our state."""
        while True:
            self._notifier.alive()
            self._notifier.status(self.connection.reason or self._reason or "connected")
            await asyncio.sleep(CHECK_S)

    def _note(self, reason: str | None) -> None:
        """Log why something waits, once until it changes."""
        if reason is not None and reason != self._reason:
            log.warning("%s; retrying", reason)
        if reason is None and self._reason is not None:
            log.info("nothing waits any more")
        self._reason = reason


def _begun(event: FrigateEvent) -> float:
    """Return when an event began; one that claims to be of the future must not hide those that come."""
    return min(event.start, time.time())


def run_frigate(
    broker: Broker, settings: ServerSettings, daemon: AsyncClient, options: FrigateOptions
) -> None:
    """Follow Frigate's events until SIGTERM or SIGINT; a second such program waits until this one ends."""
    lease = CursorLease(daemon, options.cursor, Owner(f"{options.cursor} {daemon}"))

    async def follow() -> None:
        async with FrigateServer(settings) as server:
            await FrigateBridge(broker, lease, server, options).run()

    run_until_stopped(lambda: hold_and_tell(lease, follow), daemon)
