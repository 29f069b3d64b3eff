"""Of several programs with one cursor, one acts; the others wait until it has ended."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import asynccontextmanager

import pytest
from event_log import EventLog

from face_det.errors import SightingsOff
from face_det.integrations import CursorLease, EventConsumer, Owner
from face_det.integrations import lease as module


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    """What waits asks often."""
    monkeypatch.setattr(module, "TRY_S", 0.01)
    monkeypatch.setattr(module, "RENEW_S", 0.02)


async def soon(condition):
    """Wait until condition() is true."""
    async with asyncio.timeout(300):
        while not condition():
            await asyncio.sleep(0.005)


def owner(folder, key="me"):
    """An owner whose file is in this folder."""
    return Owner(key, {"RUNTIME_DIRECTORY": str(folder)})


@asynccontextmanager
async def consuming(daemon, mine, **options):
    """A program that handles events while it has the cursor: its lease, and what it handled."""
    handled = []
    lease = CursorLease(daemon, "bell", mine)

    async def handle(event):
        handled.append(event["seq"])

    consumer = EventConsumer(daemon, "bell", handle, lease=lease, wait_s=0.01, **options)
    running = asyncio.create_task(lease.hold(consumer.run))
    try:
        yield lease, handled
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("at_most_once", [False, True])
def test_a_second_program_waits_for_the_end_of_the_first(tmp_path, caplog, at_most_once):
    """It says so once, handles nothing meanwhile, and then goes on where the first ended."""
    caplog.set_level(logging.INFO)
    daemon = EventLog()

    async def story():
        first, second = owner(tmp_path), owner(tmp_path)
        async with consuming(daemon, first, at_most_once=at_most_once) as (former, by_first):
            await soon(lambda: "bell" in daemon.cursors)
            async with consuming(daemon, second, at_most_once=at_most_once) as (lease, by_second):
                await soon(lambda: lease.reason is not None)
                for _ in range(3):
                    daemon.append()
                await soon(lambda: len(by_first) == 3)
                asked = daemon.calls.count("cursor")
                await soon(lambda: daemon.calls.count("cursor") > asked + 5)
                assert (by_first, by_second) == ([1, 2, 3], [])
                daemon.owners["bell"] = second.id  # the first did not renew it in time
                await soon(lambda: lease.reason is None and former.reason is not None)
                daemon.append()
                await soon(lambda: by_second)
                assert (by_first, by_second) == ([1, 2, 3], [4])
                await soon(lambda: "this program uses it now" in caplog.text)
        # The second has ended cleanly.
        assert daemon.owners == {}

    asyncio.run(story())
    waits = [record.message for record in caplog.records if "waits until" in record.message]
    assert waits == ["cursor bell: another program on nuc uses it; this one waits until that one ends"] * 2


class SleepyLog(EventLog):
    """The machine falls asleep after the first event, until another program has handled the second."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    async def call(self, verb, *args, timeout_s=None):
        answer = await super().call(verb, *args, timeout_s=timeout_s)
        if (verb, args[:2]) == ("cursor", ("bell", 1)):
            self.now += 1000
            self.owners["bell"], self.cursors["bell"] = "other", 2
        return answer


def test_whoever_was_asleep_does_not_act_beside_its_successor(tmp_path, monkeypatch):
    """It asks before it handles what it had read."""
    daemon = SleepyLog()
    monkeypatch.setattr(module, "RENEW_S", 300)
    monkeypatch.setattr(module, "_now", lambda: daemon.now)

    async def story():
        async with consuming(daemon, owner(tmp_path)) as (lease, handled):
            await soon(lambda: "bell" in daemon.cursors)
            for _ in range(3):
                daemon.append()
            await soon(lambda: lease.reason is not None)
            assert handled == [1]
            assert daemon.cursors["bell"] == 2
            daemon.owners.clear()
            await soon(lambda: handled == [1, 3])

    asyncio.run(story())


def test_what_hangs_is_stopped_when_another_has_the_cursor(tmp_path):
    """The heartbeat learns of it."""
    daemon, stopped = EventLog(), []

    async def hang():
        try:
            await asyncio.sleep(3000)
        except asyncio.CancelledError:
            stopped.append(True)
            raise

    async def story():
        lease = CursorLease(daemon, "bell", owner(tmp_path))
        running = asyncio.create_task(lease.hold(hang))
        await soon(lambda: lease.turns == 1)
        daemon.owners["bell"] = "other"
        await soon(lambda: stopped and lease.reason is not None)
        assert daemon.owners == {"bell": "other"}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(story())


def test_an_error_ends_it_and_frees_the_cursor(tmp_path):
    """No other error than that of a cursor that is taken begins again."""
    daemon = EventLog()

    async def fail():
        assert daemon.owners
        raise SightingsOff("nothing is remembered")

    with pytest.raises(SightingsOff):
        asyncio.run(CursorLease(daemon, "bell", owner(tmp_path)).hold(fail))
    assert daemon.owners == {}


def test_a_program_that_was_killed_is_the_same_owner_again(tmp_path):
    """Unless it runs beside itself; other programs are other owners, and a damaged file is no obstacle."""
    first = owner(tmp_path)
    beside, other = owner(tmp_path), owner(tmp_path, "other")
    assert len({first.id, beside.id, other.id}) == 3
    first.close()  # as the end of a process does, however it ends
    again = owner(tmp_path)
    assert again.id == first.id
    again.close()
    (path,) = (each for each in tmp_path.iterdir() if first.id.split()[1] in each.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("../../etc")
    assert len(owner(tmp_path).id.split()[1]) == module.ID_LENGTH
    assert other.id != first.id


@pytest.mark.parametrize("kind", ["link", "fifo", "folder gone"])
def test_a_file_that_others_may_have_laid_is_not_used(tmp_path, kind):
    """The program then has an id that only it knows."""
    mine = owner(tmp_path)
    (path,) = tmp_path.iterdir()
    mine.close()
    path.unlink()
    target = tmp_path / "target"
    if kind == "link":
        target.write_text("kept")
        path.symlink_to(target)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        tmp_path = tmp_path / "gone"
    assert owner(tmp_path).id != mine.id
    assert kind != "link" or target.read_text() == "kept"


class SlowLog(EventLog):
    """It answers `cursor` only once `slow` is over, having done what was asked."""

    def __init__(self):
        super().__init__()
        self.slow = True

    async def call(self, verb, *args, timeout_s=None):
        answer = await super().call(verb, *args, timeout_s=timeout_s)
        ends = verb == "cursor" and len(args) > 2 and args[2].get("leaseS") == 0
        while self.slow and not ends:
            await asyncio.sleep(0.005)
        return answer


def test_who_is_stopped_while_it_asks_leaves_no_lease(tmp_path):
    """The daemon may have given it the cursor, and its answer is still on the way."""
    daemon = SlowLog()

    async def story():
        running = asyncio.create_task(CursorLease(daemon, "bell", owner(tmp_path)).hold(asyncio.Event().wait))
        await soon(lambda: daemon.owners)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert daemon.owners == {}

    asyncio.run(story())


def test_the_numbers_of_a_former_turn_say_nothing_about_a_new_log(tmp_path):
    """Another program had the cursor when the log was replaced; what it has handled is not done again."""
    daemon = EventLog()

    async def story():
        async with consuming(daemon, owner(tmp_path)) as (lease, handled):
            await soon(lambda: "bell" in daemon.cursors)
            daemon.append()
            await soon(lambda: handled == [1])
            daemon.owners["bell"] = "other"
            await soon(lambda: lease.reason is not None)
            daemon.name, daemon.events = "log-2", []
            for _ in range(3):
                daemon.append()
            daemon.cursors["bell"] = 2
            daemon.owners.clear()
            await soon(lambda: 3 in handled)
            assert handled == [1, 3]

    asyncio.run(story())
