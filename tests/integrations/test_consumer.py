"""Events are handled once each, in order, while the daemon and the consumer come and go."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from pathlib import Path

import pytest
from daemon_fixtures import FAKE, lasting_daemon

from face_det.errors import SightingsOff, Unreachable
from face_det.integrations import EventConsumer
from face_det.rpc import AsyncClient

SERVE = (sys.executable, "-m", "face_det.cli.main", "serve", "--config")


class Log:
    """What the daemon answers to the two verbs that consumers use; real daemons are asked further down."""

    def __init__(self):
        self.name, self.count, self.cursors = "log-1", 0, {}
        self.away: list[str] = []
        self.calls: list[str] = []

    def restart(self, count):
        """A new log with so many events."""
        self.name, self.count, self.cursors = "log-2", count, {}

    async def call(self, verb, *args, timeout_s=None):
        self.calls.append(verb)
        if self.away and self.away[0] == verb:
            self.away.pop(0)
            raise Unreachable("nobody answers")
        if verb == "cursor":
            name, seq = args
            number = self.cursors.get(name, self.count) if seq == "newest" else seq
            self.cursors[name] = number
            return number
        after, wait_s = args
        last = self.count
        reset = after > last
        events = [{"seq": seq} for seq in range(1 if reset else after + 1, last + 1)]
        if not events:
            await asyncio.sleep(min(wait_s, 0.01))
        return {
            "events": events,
            "last": last,
            "log": self.name,
            **({"reset": True} if reset else {}),
        }


async def until(condition):
    """Wait until condition() is true."""
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


async def handled_while(log, story, handle=None, **options):
    """The numbers of the events that were handled during a story, which gets them as they come."""
    seen: list[int] = []

    async def note(event):
        if handle is not None:
            await handle(event)
        seen.append(event["seq"])

    running = asyncio.create_task(EventConsumer(log, "me", note, **options).run())
    try:
        await story(seen)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return seen


def test_a_new_consumer_hears_only_what_happens_now():
    """Nobody wants a month of old events at the first start; from then on none is missed."""
    log = Log()
    log.count = 5

    async def story(seen):
        await until(lambda: "events" in log.calls)
        log.count = 7
        await until(lambda: len(seen) == 2)

    assert asyncio.run(handled_while(log, story)) == [6, 7]
    log.count = 9

    async def next_story(seen):
        await until(lambda: len(seen) == 2)

    assert asyncio.run(handled_while(log, next_story)) == [8, 9]
    assert log.cursors == {"me": 9}


@pytest.mark.parametrize("verb", ["cursor", "events"])
def test_a_daemon_that_is_away_costs_no_event(verb, caplog):
    """It is asked again, the log says so once, and nothing is handled twice."""
    log = Log()
    caplog.set_level(logging.INFO)

    async def story(seen):
        await until(lambda: "events" in log.calls)
        log.away = [verb, verb]
        log.count = 3
        await until(lambda: log.cursors["me"] == 3)

    assert asyncio.run(handled_while(log, story)) == [1, 2, 3]
    assert [record.message for record in caplog.records] == [
        "me waits for the daemon: Unreachable: nobody answers",
        "me: the daemon answers again",
    ]


@pytest.mark.parametrize("count", [2, 6])
def test_a_new_log_is_read_from_its_beginning(count):
    """Whether it has fewer events than the old one or more."""
    log = Log()

    async def story(seen):
        await until(lambda: "events" in log.calls)
        log.count = 4
        await until(lambda: log.cursors["me"] == 4)
        log.restart(count)
        await until(lambda: log.cursors.get("me") == count)

    assert asyncio.run(handled_while(log, story)) == [1, 2, 3, 4, *range(1, count + 1)]


def test_an_event_that_could_not_be_handled_comes_again():
    """The cursor stays before it."""
    log = Log()

    async def fail(event):
        if event["seq"] == 2:
            raise ValueError("no")

    async def story(seen):
        await until(lambda: "events" in log.calls)
        log.count = 3
        await until(lambda: log.cursors["me"] == 1)

    assert asyncio.run(handled_while(log, story, fail)) == [1]
    assert log.cursors == {"me": 1}


def test_at_most_once_the_cursor_moves_before(caplog):
    """An event that could not be handled does not come again; while the daemon is away, none is handled."""
    log = Log()
    handled_at: list[int] = []

    async def fail(event):
        handled_at.append(log.cursors["me"])
        if event["seq"] == 2:
            raise ValueError("no")

    async def story(seen):
        await until(lambda: "events" in log.calls)
        log.away = ["cursor"]
        log.count = 3
        await until(lambda: len(handled_at) == 2)

    assert asyncio.run(handled_while(log, story, fail, at_most_once=True)) == [1]
    assert handled_at == [1, 2]
    assert log.cursors == {"me": 2}
    assert "me waits for the daemon" in caplog.text


def test_unwanted_events_are_passed_over():
    """The cursor moves beyond them, without a call for each."""
    log = Log()

    async def story(seen):
        await until(lambda: "events" in log.calls)
        log.calls.clear()
        log.count = 1000
        await until(lambda: log.cursors["me"] == 1000)

    odd = asyncio.run(handled_while(log, story, wanted=lambda event: event["seq"] % 500 == 1))
    assert odd == [1, 501]
    assert log.calls.count("cursor") == 3


async def _consume(endpoint, name, handle):
    async with AsyncClient(endpoint) as client:
        await EventConsumer(client, name, handle, wait_s=5).run()


def test_a_real_daemon_tells_what_it_sees(photos: dict[str, Path]):
    """Through two consumers with cursors of their own."""
    seen: dict[str, list[str]] = {"light": [], "bell": []}

    async def story(endpoint):
        def noting(name):
            async def handle(event):
                seen[name].append(event["type"])

            return handle

        async with asyncio.timeout(300), AsyncClient(endpoint, timeout_s=300) as client:
            running = [asyncio.create_task(_consume(endpoint, name, noting(name))) for name in seen]
            for name in seen:
                while await client.call("cursor", name) == 0:
                    await client.call("recognize", str(photos["biden"]), {"camera": "front"})
                    await asyncio.sleep(0.1)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    with lasting_daemon(SERVE, sightings={}) as daemon:
        asyncio.run(story(daemon.endpoint))
    assert seen["bell"][0] == "visit_began"
    assert "seen" in seen["light"] + seen["bell"]


def test_a_daemon_that_keeps_no_events_ends_it():
    """Waiting would be for ever, in silence."""
    with lasting_daemon((sys.executable, FAKE)) as daemon, pytest.raises(SightingsOff, match="sightings"):
        asyncio.run(_consume(daemon.endpoint, "light", None))
