"""Very many events at once: a few are looked at, the others wait, and none is lost."""

from __future__ import annotations

import asyncio
import io
import json
import time

import pytest
from frigate_api import ROW, FrigateApi
from PIL import Image

from face_det.integrations import (
    Broker,
    CursorLease,
    FollowOptions,
    FrigateBridge,
    FrigateOptions,
    FrigateServer,
    Message,
    Owner,
    ServerSettings,
)
from face_det.integrations.frigate import bridge as module
from face_det.integrations.frigate.progress import Progress

COUNT = 40


class OneFace:
    """A daemon that sees Obama in each picture, and notes how many it is shown at once."""

    def __init__(self):
        self.shown, self.most, self.streams, self.saved = 0, 0, set(), 0

    async def call(self, verb, *args, timeout_s=None):
        if verb == "cursor":
            self.saved = (args[1] if len(args) > 1 else None) or self.saved
            return self.saved
        if verb == "sightings":
            return {"items": [], "next": None}
        assert verb == "follow"
        self.shown += 1
        self.most = max(self.most, self.shown)
        self.streams.add(args[1]["stream"])
        await asyncio.sleep(0.002)
        self.shown -= 1
        box = {"xmin": 10, "ymin": 10, "xmax": 20, "ymax": 20}
        return [{"track": 1, "face": "Obama", "faceProba": 0.9, "faceBox": box, "outcome": "known"}]


def tell(kind, one, begin):
    """A message of Frigate about an event."""
    shot = {"frame_time": begin, "box": [0, 0, 100, 100]}
    about = {"id": one, "camera": "front", "label": "person", "start_time": begin, "box": [0, 0, 100, 100]}
    end = {"end_time": begin + 1} if kind == "end" else {"end_time": None}
    after = {**about, **end, "snapshot": shot, "has_snapshot": True, "entered_zones": []}
    return Message("frigate/events", json.dumps({"type": kind, "after": after}).encode())


@pytest.fixture
def api():
    """A Frigate with many events."""
    server, picture, begin = FrigateApi(), io.BytesIO(), time.time()
    Image.new("RGB", (200, 200)).save(picture, "JPEG")
    for number in range(COUNT):
        one = f"{begin:.3f}-{number:03}"
        server.events[one] = {**ROW, "id": one, "camera": "front", "start_time": begin}
        server.pictures[one, "snapshot.jpg"] = picture.getvalue()
    yield server
    server.close()


@pytest.mark.slow
@pytest.mark.parametrize("most_waiting", [COUNT, 3])
def test_a_flood_of_events_is_followed_a_few_at_a_time(api, monkeypatch, tmp_path, most_waiting):
    """The first ones first; each gets its name, whether it waited or was asked for later."""
    monkeypatch.setattr(module, "MOST_FOLLOWED", 4)
    monkeypatch.setattr(module, "MOST_WAITING", most_waiting)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    daemon = OneFace()
    begin = next(iter(api.events.values()))["start_time"]

    async def story():
        lease = CursorLease(daemon, "frigate-home", Owner("flood", {"RUNTIME_DIRECTORY": str(tmp_path)}))
        options = FrigateOptions("home", follow=FollowOptions(every_s=0.01))
        async with FrigateServer(ServerSettings(api.url)) as server:
            made = FrigateBridge(Broker("127.0.0.1", 1), lease, server, options)
            made._broken = asyncio.get_running_loop().create_future()
            made._progress = Progress(begin - 10)
            for one in api.events:
                await made._receive(tell("new", one, begin))
            assert len(made._tasks) == 4
            assert lease.counts["waiting"] == min(COUNT, 4 + most_waiting)
            for one, row in api.events.items():
                row["end_time"] = begin + 1
                await made._receive(tell("end", one, begin))
            async with asyncio.timeout(300):
                while len({label[0] for label in api.labels}) < COUNT:
                    assert len(made._tasks) <= 4
                    assert not made._broken.done() or made._broken.result()
                    if made._behind.is_set() and not made._waiting and not made._tasks:
                        made._behind.clear()
                        await made._catch_up()
                    await asyncio.sleep(0.01)
                while made._tasks or made._waiting:
                    await asyncio.sleep(0.01)
            if most_waiting < COUNT:
                made._behind.clear()
                await made._catch_up()
            assert made._progress.open_count == 0

    asyncio.run(story())
    assert {label[1] for label in api.labels} == {"Obama"}
    assert len(daemon.streams) == COUNT


def test_what_waits_keeps_what_came_over_mqtt(api, monkeypatch, tmp_path):
    """The list of events has no time of a snapshot; with it alone, nobody would be named before the end."""
    monkeypatch.setattr(module, "MOST_FOLLOWED", 1)
    daemon = OneFace()
    (first, *_), begin = api.events, next(iter(api.events.values()))["start_time"]
    daemon.saved = int(begin)

    async def story():
        lease = CursorLease(daemon, "frigate-home", Owner("flood", {"RUNTIME_DIRECTORY": str(tmp_path)}))
        async with FrigateServer(ServerSettings(api.url)) as server:
            made = FrigateBridge(Broker("127.0.0.1", 1), lease, server, FrigateOptions("home"))
            made._broken = asyncio.get_running_loop().create_future()
            made._progress = Progress(begin - 10)
            for one in api.events:
                await made._receive(tell("new", one, begin))
            await made._catch_up()
            await made._receive(tell("end", first, begin))
            async with asyncio.timeout(300):
                while len(api.labels) < 2:
                    await asyncio.sleep(0.01)
            made._waiting.clear()
            for task in made._tasks.values():
                task.cancel()
            await asyncio.gather(*made._tasks.values(), return_exceptions=True)

    asyncio.run(story())
    assert [label[0] for label in api.labels] == list(api.events)[:2]


def test_nothing_that_waited_begins_at_the_end(api, monkeypatch, tmp_path):
    """What is cancelled makes room, but whoever uses the cursor next is to be alone with the events."""
    monkeypatch.setattr(module, "MOST_FOLLOWED", 4)
    daemon = OneFace()
    daemon.saved = int(next(iter(api.events.values()))["start_time"])

    async def story():
        lease = CursorLease(daemon, "frigate-home", Owner("flood", {"RUNTIME_DIRECTORY": str(tmp_path)}))
        async with FrigateServer(ServerSettings(api.url)) as server:
            made = FrigateBridge(Broker("127.0.0.1", 1), lease, server, FrigateOptions("home"))
            running = asyncio.ensure_future(lease.hold(made.run))
            async with asyncio.timeout(300):
                while not made._waiting:
                    assert not running.done()
                    await asyncio.sleep(0.01)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            # Whatever runs now was left behind.
            return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(story()) == set()
