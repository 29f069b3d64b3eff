"""Who is looked into when, and what outlasts a stop; looking itself is tested in test_events.py."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import threading

import pytest
from disks import fill

from face_det.errors import Busy, CannotWrite, PortalFailed, UnknownEvent
from face_det.integrations.zoneminder import event_queue
from face_det.integrations.zoneminder.event_queue import EventQueue
from face_det.integrations.zoneminder.events import EventReport
from face_det.integrations.zoneminder.waiting_file import WaitingFile

PATIENCE_S = 300


def report_of(event, *, frames=1, partial=False):
    return EventReport(event, 1, frames, 0, (), "", (), partial)


class Looks:
    """Looks that wait for `gate`; `begun` and `ended` are events, `most` how many of one event at once."""

    def __init__(self, answer=report_of, open_=True):
        self.begun, self.ended, self.most = [], [], 0
        self.gate = asyncio.Event()
        self.answer = answer
        if open_:
            self.gate.set()

    async def __call__(self, event, monitor):
        self.begun.append((event, monitor))
        self.most = max(
            self.most, sum(1 for each, _ in self.begun if each == event) - self.ended.count(event)
        )
        try:
            await self.gate.wait()
            answer = self.answer(event)
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.ended.append(event)

    async def until_ended(self, count):
        async with asyncio.timeout(PATIENCE_S):
            while len(self.ended) < count:
                await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(event_queue, "PAUSE_S", 0.0)


def run(scenario):
    asyncio.run(asyncio.wait_for(scenario, PATIENCE_S))


def test_an_event_is_never_looked_into_twice_at_once():
    """Reported with and without its monitor, before and during a look: folded, or looked into again later."""

    async def scenario():
        looks = Looks(open_=False)
        queue = EventQueue(looks)
        assert await queue.report(7, None) is True
        while not looks.begun:
            await asyncio.sleep(0)
        assert [await queue.report(7, 3), await queue.report(7, None), await queue.report(8, 3)] == [
            True,
            False,
            True,
        ]
        while len(looks.begun) < 2:
            await asyncio.sleep(0)
        looks.gate.set()
        await looks.until_ended(3)
        assert sorted(looks.begun, key=str) == [(7, 3), (7, None), (8, 3)]
        assert looks.most == 1
        await queue.stop(0)

    run(scenario())


def test_an_event_that_has_not_ended_waits_again():
    """Behind the others of its monitor, until it has ended, or nothing more is added to it."""
    frames = {1: iter([2, 5, None]), 2: iter([3, 3])}

    def answer(event):
        if event == 3:
            return report_of(3)
        found = next(frames[event])
        return report_of(event, frames=found or 9, partial=found is not None)

    async def scenario():
        looks = Looks(answer)
        queue = EventQueue(looks)
        for event in (1, 2, 3):
            await queue.report(event, 1)
        await looks.until_ended(6)
        assert looks.ended == [1, 2, 3, 1, 2, 1]
        await queue.stop(0)
        assert queue.counts == {"done": 2, "failed": 1, "unwritten": 0}
        assert len(looks.ended) == 6

    run(scenario())


def test_errors_end_one_event_only(monkeypatch):
    """An event that is gone, a portal that stays away, and a fault of ours: the next ones are looked into."""
    monkeypatch.setattr(event_queue, "PATIENCE_S", 0.0)
    faults = {1: UnknownEvent("gone"), 2: PortalFailed("away"), 3: ZeroDivisionError()}
    faults[4] = dataclasses.replace(report_of(4), unwritten=("objdetect.jpg: No space left on device",))

    async def scenario():
        looks = Looks(lambda event: faults.get(event) or report_of(event))
        queue = EventQueue(looks)
        for event in (1, 2, 3, 4, 5):
            await queue.report(event, 1)
        await looks.until_ended(5)
        assert looks.ended == [1, 2, 3, 4, 5]
        await queue.stop(0)
        assert queue.counts == {"done": 2, "failed": 3, "unwritten": 1}

    run(scenario())


def test_what_waits_outlasts_a_stop(tmp_path):
    """Also what is being looked into; what was looked into is gone, and nothing comes twice."""
    path = tmp_path / "events.sqlite"

    async def scenario():
        looks = Looks()
        queue = EventQueue(looks, path)
        await queue.start()
        await queue.report(1, 1)
        await looks.until_ended(1)
        looks.gate.clear()
        for event in (2, 3, 2):
            await queue.report(event, 1)
        while len(looks.begun) < 2:
            await asyncio.sleep(0)
        await queue.stop(PATIENCE_S)
        looks = Looks()
        queue = EventQueue(looks, path)
        await queue.start()
        await looks.until_ended(2)
        assert looks.begun == [(2, 1), (3, 1)]
        while queue._workers:
            await asyncio.sleep(0)
        await queue.stop(0)

    run(scenario())
    with contextlib.closing(WaitingFile(path)) as file:
        assert file.read() == []


def test_what_is_reported_at_the_end_of_a_look_outlasts_a_stop(tmp_path, monkeypatch):
    """Removing the look that has ended must not remove the report that came meanwhile."""
    path, removing, added = tmp_path / "events.sqlite", threading.Event(), threading.Event()
    add, remove = WaitingFile.add, WaitingFile.remove

    def add_and_say(self, *about):
        add(self, *about)
        if removing.is_set():
            added.set()

    def remove_late(self, event):
        removing.set()
        added.wait(1)  # in vain, unless it is added too early
        remove(self, event)

    monkeypatch.setattr(WaitingFile, "add", add_and_say)
    monkeypatch.setattr(WaitingFile, "remove", remove_late)

    async def scenario():
        looks = Looks()
        queue = EventQueue(looks, path)
        await queue.report(7, None)
        await asyncio.to_thread(removing.wait)
        looks.gate.clear()
        await queue.report(7, 3)
        while len(looks.begun) < 2:
            await asyncio.sleep(0)
        while len(queue._workers) > 1:
            await asyncio.sleep(0)
        await queue.stop(0)

    run(scenario())
    with contextlib.closing(WaitingFile(path)) as file:
        assert [event for event, _, _ in file.read()] == [7]


def test_a_queue_that_is_full_refuses(monkeypatch):
    """The reporter is told; what waits is still looked into."""
    monkeypatch.setattr(event_queue, "MAX_WAITING", 2)

    async def scenario():
        looks = Looks(open_=False)
        queue = EventQueue(looks)
        await queue.report(1, 1)
        while not looks.begun:
            await asyncio.sleep(0)
        await queue.report(2, 1), await queue.report(3, 1)
        with pytest.raises(Busy, match="2 events of ZoneMinder are already waiting"):
            await queue.report(4, 1)
        looks.gate.set()
        await looks.until_ended(3)
        await queue.stop(0)

    run(scenario())


def test_a_damaged_file_is_put_aside(tmp_path, caplog):
    """The gateway starts, and says what is lost."""
    path = tmp_path / "events.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with contextlib.closing(WaitingFile(path)) as file:
        file.add(1, None, 2.0)
        assert file.read() == [(1, None, 2.0)]
    assert path.with_name("events.sqlite.damaged").exists()
    assert "the events in it are lost" in caplog.text


def test_a_file_that_cannot_be_written(disk):
    """On a real disk without room the report is refused, so that ZoneMinder's hook notices."""
    folder = disk("size=64k")
    with contextlib.closing(WaitingFile(folder / "events.sqlite")) as file:
        fill(folder)
        with pytest.raises(CannotWrite, match="ZoneMinder's events cannot be stored"):
            collections.deque((file.add(event, 1, 0.0) for event in range(10_000)), maxlen=0)
    with pytest.raises(CannotWrite):
        WaitingFile(folder / "missing" / "events.sqlite")
