"""The queue of events that ZoneMinder has reported, kept in a file if one is configured."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from face_det.errors import Busy, CannotWrite, FaceDetError, TryAgain
from face_det.integrations.zoneminder.events import EventReport
from face_det.integrations.zoneminder.waiting_file import WaitingFile

log = logging.getLogger(__name__)

MAX_WAITING = 10_000
"""The most events that may wait; more are refused, so that whoever reports them notices."""
PATIENCE_S = 3600.0
"""How long an event is retried while ZoneMinder or the daemon does not answer."""
RECORDING_PATIENCE_S = 86_400.0
"""How long after its report an event that has not ended is processed again."""
PAUSE_S = 5.0
"""The shortest pause before an event that has not ended is processed again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that waits, of `monitor` if that was given; `frames` is how many an earlier attempt saw."""

    event: int
    monitor: int | None
    reported: float
    frames: int = 0


Look = Callable[[int, int | None], Awaitable[EventReport]]


class EventQueue:
    """Processes reported events: those of a monitor one after another, several monitors concurrently.

    An event is never processed twice at once. A second report of a waiting event is merged into the first;
    after one that arrives while the event is processed, it is processed again. An event that has not ended is
    queued again. With `path`, events are stored in that file before their report is answered, and survive a
    restart.
    """

    def __init__(self, look: Look, path: Path | None = None) -> None:
        """Open or make the file. Raises CannotWrite."""
        self._look = look
        self._path = path
        self._file = None if path is None else WaitingFile(path)
        self._lines: dict[int, dict[int, Waiting]] = {}
        """By monitor, 0 if it was not given: its events by number, the oldest report first."""
        self._workers: dict[int, asyncio.Task[None]] = {}
        self._running: dict[int, int] = {}
        """The events that are being looked into, and in whose line they were."""
        self._filing = asyncio.Lock()
        """Held while the file changes, until what waits has changed, too."""
        self.counts = {"done": 0, "failed": 0, "unwritten": 0}
        """What became of events since the start; of those done, `unwritten` lack a file or tags."""

    @property
    def waiting(self) -> int:
        """How many events are waiting or being processed."""
        return len(self._running) + self._count()

    async def start(self) -> None:
        """Queue the events in the file. Raises CannotWrite."""
        if self._file is None:
            return
        for event, monitor, reported in await asyncio.to_thread(self._file.read):
            self._wait(Waiting(event, monitor, reported))
        if waiting := self._count():
            log.info("%s events of ZoneMinder are waiting since before the start", waiting)

    async def report(self, event: int, monitor: int | None) -> bool:
        """Queue an event; return False if it was already waiting. Raises Busy, CannotWrite."""
        known = next((line[event] for line in self._lines.values() if event in line), None)
        if known is None and self._count() >= MAX_WAITING:
            raise Busy(f"{MAX_WAITING} events of ZoneMinder are already waiting; try again later")
        if known is None or known.monitor != monitor:
            found = Waiting(event, monitor or (known.monitor if known else None), time.time())
            async with self._filing:
                if self._file is not None:
                    await asyncio.to_thread(self._file.add, event, found.monitor, found.reported)
                self._wait(found)
        return known is None

    async def stop(self, patience_s: float) -> None:
        """Process what is queued, for at most `patience_s`; with a file, leave it for the next start."""
        workers = list(self._workers.values())
        if workers and self._file is None:
            await asyncio.wait(workers, timeout=patience_s)
        left = sorted({*self._running, *(event for line in self._lines.values() for event in line)})
        for worker in self._workers.values():
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if self._file is not None:
            log.info("%s events of ZoneMinder wait in %s for the next start", len(left), self._path)
            await asyncio.to_thread(self._file.close)
        elif left:
            names = ", ".join(map(str, left))
            log.warning("ZoneMinder's events %s were not processed: the gateway is stopping", names)

    def _count(self) -> int:
        return sum(map(len, self._lines.values()))

    def _wait(self, found: Waiting) -> None:
        """Queue an event behind the others of its monitor."""
        line = next((name for name, events in self._lines.items() if found.event in events), None)
        if line is None:
            line = self._running.get(found.event, found.monitor or 0)
        self._lines.setdefault(line, {})[found.event] = found
        if line not in self._workers:
            self._workers[line] = asyncio.create_task(self._work(line), name=f"monitor {line}")

    async def _work(self, line: int) -> None:
        events = self._lines[line]
        try:
            while events:
                found = next(iter(events.values()))
                self._running[found.event] = line
                del events[found.event]
                again = await self._look_patiently(found)
                del self._running[found.event]
                if found.event not in events:
                    await self._end(found, again)
        finally:
            self._lines.pop(line, None)
            self._workers.pop(line, None)

    async def _end(self, found: Waiting, again: Waiting | None) -> None:
        if again is not None:
            self._wait(again)
            await asyncio.sleep(PAUSE_S)
        elif self._file is not None:
            try:
                async with self._filing:
                    if not self._is_due(found.event):
                        await asyncio.to_thread(self._file.remove, found.event)
            except CannotWrite as error:
                log.warning("event %s will be processed once more after a restart: %s", found.event, error)

    def _is_due(self, event: int) -> bool:
        """Tell whether an event waits, or is being looked into."""
        return event in self._running or any(event in line for line in self._lines.values())

    async def _look_patiently(self, found: Waiting) -> Waiting | None:
        """Process an event, with retries; return it if it should be processed again."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TryAgain),
            stop=stop_after_delay(PATIENCE_S),
            wait=wait_exponential(multiplier=0.5, max=10),
            reraise=True,
        )
        try:
            report: EventReport = await retrying(self._look, found.event, found.monitor)
        except FaceDetError as error:
            self.counts["failed"] += 1
            log.warning("ZoneMinder's event %s: %s: %s", found.event, type(error).__name__, error)
            return None
        except Exception:
            self.counts["failed"] += 1
            log.exception("ZoneMinder's event %s", found.event)
            return None
        if not report.partial:
            self.counts["done"] += 1
            self.counts["unwritten"] += bool(report.unwritten)
            return None
        # A recorder that has died leaves an event that never ends.
        stuck = report.frames > 0 and report.frames == found.frames
        if stuck or time.time() - found.reported > RECORDING_PATIENCE_S:
            self.counts["failed"] += 1
            log.warning(
                "ZoneMinder's event %s has not ended, but does not grow; giving up on it", found.event
            )
            return None
        return Waiting(found.event, found.monitor, found.reported, report.frames)
