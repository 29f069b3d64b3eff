"""Reports of motion: each leads to a look that began after it, and none is lost."""

from __future__ import annotations

import asyncio

import pytest

from face_det.errors import Busy
from face_det.gateway.motion import MotionQueue

PATIENCE_S = 300


class Looks:
    """Looks at cameras that last until they are told to end; `begun` has them in order."""

    def __init__(self, failing=()):
        self.begun, self.under_way, self.most = [], [], {}
        self._failing = list(failing)
        self._changed = asyncio.Condition()
        self._ended = {}

    async def look(self, camera):
        """Look until `end` is called; fail if this is still to fail."""
        gate = self._ended.setdefault(camera, asyncio.Semaphore(0))
        self.begun.append(camera)
        self.under_way.append(camera)
        self.most[camera] = max(self.most.get(camera, 0), self.under_way.count(camera))
        async with self._changed:
            self._changed.notify_all()
        try:
            if self._failing:
                raise self._failing.pop()
            await gate.acquire()
        finally:
            self.under_way.remove(camera)

    def end(self, camera, times=1):
        """Let this many looks at a camera end."""
        for _ in range(times):
            self._ended.setdefault(camera, asyncio.Semaphore(0)).release()

    async def until(self, begun):
        """Wait until exactly these looks have begun."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: len(self.begun) >= len(begun)), PATIENCE_S)
        assert self.begun == begun


def test_what_comes_during_a_look_leads_to_one_more():
    """Duplicates are folded; a look that had begun may have been too early, so another follows."""

    async def main():
        looks = Looks()
        queue = MotionQueue(looks.look)
        assert [queue.report("door") for _ in range(3)] == [True, False, False]
        await looks.until(["door"])
        assert [queue.report("door") for _ in range(3)] == [True, False, False]
        for _ in range(20):  # rounds of the event loop, in which a second look could begin
            await asyncio.sleep(0)
        assert looks.begun == ["door"]
        looks.end("door", 2)
        await looks.until(["door", "door"])
        await queue.stop(PATIENCE_S)
        assert looks.begun == ["door", "door"]
        assert looks.most == {"door": 1}

    asyncio.run(main())


def test_cameras_do_not_wait_for_each_other():
    """Two are looked at side by side, and a camera can report again once its look has ended."""

    async def main():
        looks = Looks()
        queue = MotionQueue(looks.look)
        queue.report("door")
        queue.report("hall")
        await looks.until(["door", "hall"])
        assert looks.under_way == ["door", "hall"]
        looks.end("hall")
        while "hall" in looks.under_way:
            await asyncio.sleep(0)
        assert queue.report("hall")
        await looks.until(["door", "hall", "hall"])
        looks.end("door")
        looks.end("hall")
        await queue.stop(PATIENCE_S)

    asyncio.run(main())


def test_a_busy_daemon_is_asked_again():
    """The report is not lost, and a stop waits until it has been looked into."""

    async def main():
        looks = Looks(failing=[Busy("the queue is full")])
        queue = MotionQueue(looks.look)
        queue.report("door")
        looks.end("door")
        await queue.stop(PATIENCE_S)
        assert looks.begun == ["door", "door"]

    asyncio.run(main())


def test_what_a_stop_cannot_wait_for_is_told(caplog: pytest.LogCaptureFixture):
    """The camera's name is in the log."""

    async def main():
        looks = Looks()
        queue = MotionQueue(looks.look)
        queue.report("door")
        await looks.until(["door"])
        await queue.stop(0)

    asyncio.run(main())
    assert [record.getMessage() for record in caplog.records] == [
        "motion at door was not processed: the gateway is stopping"
    ]
