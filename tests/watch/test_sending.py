"""What is sent, and when: over a real socket, to a daemon that waits or refuses as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time

import pytest
from watching import followed

from face_det.cameras import CameraPicture, CameraSource
from face_det.rpc import AsyncClient
from face_det.watch import Watcher

PATIENCE_S = 120


async def until(condition):
    """Wait until it is true."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def source(name, interval_s, pictures, age_s=0.0):
    """A camera whose pictures are given, and the function that reads them: one each `interval_s`."""

    async def read():
        for data in itertools.cycle(pictures):
            yield CameraPicture(data, time.time() - age_s, time.monotonic() - age_s)
            await asyncio.sleep(interval_s)

    return CameraSource(name, "http://cam/"), read


def watching(daemon, sources, check, max_age_s=2.0):
    """Watch these cameras while `check(watcher)` runs."""
    readers = {one.name: read for one, read in sources}

    async def run():
        async with AsyncClient(daemon.endpoint, heartbeat_s=2) as client:
            watcher = Watcher(
                [one for one, _ in sources],
                client,
                max_age_s=max_age_s,
                read=lambda one: readers[one.name](),
            )
            task = asyncio.ensure_future(watcher.run())
            checking = asyncio.ensure_future(check(watcher))
            await asyncio.wait({task, checking}, return_when=asyncio.FIRST_COMPLETED)
            assert not task.done(), task.exception()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            checking.result()

    asyncio.run(run())


def test_the_newest_picture_wins(daemon, pictures):
    """While the daemon is slow, pictures replace each other; the next one sent is new."""
    (daemon.folder / "hold").touch()

    async def check(watcher):
        (camera,) = watcher.cameras
        await until(lambda: camera.counters.replaced > 20)
        assert camera.counters.sent == 1
        held = time.time()
        (daemon.folder / "hold").unlink()
        await until(lambda: len(followed(daemon)) > 1)
        assert followed(daemon)[1]["time"] > held - 1

    watching(daemon, [source("fast", 0.01, pictures)], check, max_age_s=PATIENCE_S)


def test_cameras_take_turns(daemon, pictures):
    """One that sends fifty pictures a second gets no more than its share while the daemon is slow."""
    cameras = [source("fast", 0.02, pictures), *(source(f"slow{i}", 0.5, pictures) for i in range(3))]
    (daemon.folder / "hold").touch()

    async def check(watcher):
        await until(lambda: all(one.waiting or one.counters.sent for one in watcher.cameras))
        (daemon.folder / "hold").unlink()
        await until(lambda: len({one["camera"] for one in followed(daemon)}) == 4)

    watching(daemon, cameras, check, max_age_s=PATIENCE_S)
    order = [one["camera"] for one in followed(daemon)]
    # Two are under way from the start; then each other camera comes before any comes again.
    assert len(set(order[:5])) == 4, order


def test_nobody_starves_while_there_is_too_much(daemon, pictures):
    """Of six cameras that send four times what can be answered, each gets its share, however fast it is."""
    cameras = [source(f"cam{i}", 0.02 if i < 2 else 0.08, pictures) for i in range(6)]
    (daemon.folder / "slow").touch()

    async def check(watcher):
        counters = [one.counters for one in watcher.cameras]
        await until(lambda: sum(one.answered for one in counters) >= 48)
        answered = [one.answered for one in counters]
        # Each comes again once all others have come; two are under way.
        assert max(answered) - min(answered) <= 2, answered
        assert sum(one.replaced for one in counters) > 0

    watching(daemon, cameras, check, max_age_s=PATIENCE_S)


def test_what_is_old_is_not_sent(daemon, pictures):
    """It is dropped, and counted."""

    async def check(watcher):
        late, good = watcher.cameras
        await until(lambda: late.counters.late > 2 and good.counters.answered > 2)
        assert late.counters.sent == 0
        assert watcher.describe()["late"]["late"] > 2

    watching(daemon, [source("late", 0.02, pictures, 3.0), source("good", 0.02, pictures)], check)
    assert {one["camera"] for one in followed(daemon)} == {"good"}


@pytest.mark.slow
def test_an_answer_that_takes_too_long_is_not_waited_for(daemon, pictures):
    """The picture is late; the next one is sent at once, but one at a time, until answers come in time."""
    (daemon.folder / "hold").touch()

    async def check(watcher):
        counters, seen = [one.counters for one in watcher.cameras], []

        def late():
            seen.append(watcher.sender.under_way)
            return sum(one.late for one in counters)

        await until(lambda: watcher.sender.under_way == 2)
        await until(lambda: watcher.sender.under_way < 2)
        first = late()
        await until(lambda: late() >= first + 8)
        assert sum(one.answered for one in counters) == 0
        assert max(seen) == 1
        # Hardly any moment without: the daemon is slow, but it has time.
        assert seen.count(1) > len(seen) / 2
        (daemon.folder / "hold").unlink()
        await until(lambda: all(one.answered >= 1 for one in counters))

    watching(daemon, [source(name, 0.01, pictures) for name in ("door", "yard")], check, max_age_s=0.5)


@pytest.mark.parametrize("name", ["Busy", "BadImage"])
def test_errors_of_the_daemon(daemon, pictures, name):
    """Whatever it answers, sending goes on, and slowly while it is busy."""
    (daemon.folder / "fail").write_text(name)

    async def check(watcher):
        (camera,) = watcher.cameras
        await until(lambda: camera.counters.sent >= 3)
        assert camera.counters.answered == 0
        (daemon.folder / "fail").unlink()
        await until(lambda: camera.counters.answered >= 3)

    watching(daemon, [source("door", 0.01, pictures)], check, max_age_s=PATIENCE_S)
    times = [one["at"] for one in followed(daemon)][:3]
    if name == "Busy":
        assert times[1] - times[0] >= 0.05
        assert times[2] - times[1] >= 0.1


def test_a_still_camera_is_looked_at_now_and_then(daemon, pictures):
    """The first picture, and then nothing until something moves."""
    still = pictures[:1]

    async def check(watcher):
        quiet, lively = watcher.cameras
        await until(lambda: quiet.counters.still > 20 and lively.counters.answered > 20)
        assert lively.counters.still == 0

    watching(daemon, [source("quiet", 0.05, still), source("lively", 0.05, pictures)], check)
    counts = [one["camera"] for one in followed(daemon)]
    assert counts.count("quiet") < counts.count("lively") / 2


def test_garbage_from_one_camera(daemon, pictures):
    """It is not sent, and counts as no picture."""

    async def check(watcher):
        bad, good = watcher.cameras
        await until(lambda: bad.counters.unreadable > 5 and good.counters.answered > 1)
        assert watcher.describe()["bad"]["reason"] == "sends something that is no picture"

    garbage = [b"hello", pictures[0][:500], b"\xff\xd8\xff" + bytes(5000)]
    watching(daemon, [source("bad", 0.02, garbage), source("good", 0.02, pictures)], check)
    assert {one["camera"] for one in followed(daemon)} == {"good"}


def test_a_reader_that_fails_in_an_unknown_way(daemon, pictures):
    """Its camera is read again, the others go on, and what the error says is not shown."""

    async def broken():
        yield CameraPicture(pictures[0], time.time())
        raise ValueError("http://me:s3cret@cam/")

    async def check(watcher):
        bad, good = watcher.cameras
        await until(lambda: bad.counters.received >= 2 and good.counters.answered >= 2)
        assert "s3cret" not in str(watcher.describe())

    one = (CameraSource("bad", "http://cam/"), broken)
    watching(daemon, [one, source("good", 0.02, pictures)], check)


def test_a_daemon_that_takes_no_reports(daemon, pictures, caplog):
    """An older one does not know the call: that is said once, and pictures are sent all the same."""

    class Old:
        def __init__(self, client):
            self._client = client

        async def call(self, verb, *args, timeout_s=None):
            verb = "no_such_verb" if verb == "report_cameras" else verb
            return await self._client.call(verb, *args, timeout_s=timeout_s)

    async def run():
        async with AsyncClient(daemon.endpoint, heartbeat_s=2) as client:
            one, read = source("door", 0.02, pictures)
            watcher = Watcher([one], Old(client), read=lambda _: read())
            task = asyncio.ensure_future(watcher.run())
            # Its state changes, and so there would be news at every look.
            await until(lambda: watcher.cameras[0].counters.answered > 60)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(run())
    assert caplog.text.count("the daemon was not told how the cameras are doing: BadRequest") == 1
