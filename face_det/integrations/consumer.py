"""Reads the daemon's events, each once, with a cursor that the daemon keeps."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_never,
    wait_random_exponential,
)

from face_det.errors import CursorTaken, TryAgain
from face_det.integrations.daemon import CALL_S, Daemon
from face_det.integrations.lease import CursorLease

log = logging.getLogger(__name__)

NEWEST = "newest"
"""Passed to `cursor` in place of a number: a new consumer then starts after the newest event."""
WAIT_S = 30.0
"""How long one call waits for the next event."""
LONGEST_PAUSE_S = 10.0
"""The longest pause before a daemon that did not answer is called again."""


class EventConsumer:
    """Hands each event to `handle`, oldest first, and moves the cursor `name` once it has been handled.

    A new consumer starts with what happens from now on. No event is missed, even if the daemon or
    this program is restarted. One event may be handled again after this program was killed between the end of
    `handle` and the moving of the cursor, so `handle` should notice a repeated `seq` if that matters. While
    the daemon does not answer, calls are retried, and the log says so once. Whatever `handle` raises ends
    `run`, with the cursor before that event.

    With `at_most_once`, the cursor moves before an event is handled: none is handled again, and the one that
    was being handled when this program was killed is lost. Events that are not `wanted` are skipped.

    With a `lease`, call `run` while it is held: no other program that asks for one handles an event then.
    """

    def __init__(
        self,
        daemon: Daemon,
        name: str,
        handle: Callable[[dict[str, Any]], Awaitable[None]],
        *,
        at_most_once: bool = False,
        wanted: Callable[[dict[str, Any]], bool] = lambda event: True,
        wait_s: float = WAIT_S,
        lease: CursorLease | None = None,
    ) -> None:
        self._daemon = daemon
        self._name = name
        self._handle = handle
        self._at_most_once = at_most_once
        self._wanted = wanted
        self._wait_s = wait_s
        self._lease = lease
        self._reason: str | None = None
        self.last: int | None = None
        """The number of the last event that was handled; None before the daemon has answered."""
        self.log: str | None = None
        """The id of the log that the current event comes from."""

    async def run(self) -> None:
        """Handle events until cancelled.

        Raises the daemon's error if it keeps no events, and CursorTaken if another program has the lease.
        """
        # Before, another program may have used the cursor, in another log.
        self.log = None
        self.last = await self._cursor(NEWEST)
        while True:
            answer = await self.call("events", self.last, self._wait_s, timeout_s=self._wait_s + CALL_S)
            if self.log not in (None, answer["log"]) and not answer.get("reset"):
                # Numbers of the old log say nothing about the new one, all of which is new to us.
                answer = await self.call("events", 0, 0)
            self.log = answer["log"]
            for event in filter(self._wanted, answer["events"]):
                if self._at_most_once:
                    await self._move(event["seq"])
                elif self._lease is not None:
                    await self._lease.confirm()
                await self._handle(event)
                if not self._at_most_once:
                    await self._move(event["seq"])
            if answer["last"] != self.last:
                await self._move(answer["last"])

    async def _move(self, seq: int) -> None:
        self.last = seq
        await self._cursor(seq)

    async def _cursor(self, seq: int | str) -> Any:
        if self._lease is None:
            return await self.call("cursor", self._name, seq)
        return await self._retry(self._lease.cursor, seq)

    async def call(self, verb: str, *args: Any, timeout_s: float = CALL_S) -> Any:
        """Call the daemon until it answers; raise its error unless a later call may succeed."""
        return await self._retry(self._daemon.call, verb, *args, timeout_s=timeout_s)

    async def _retry(self, function: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Any:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(TryAgain) & retry_if_not_exception_type(CursorTaken),
            wait=wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE_S),
            stop=stop_never,
            before_sleep=self._note,
        ):
            with attempt:
                answer = await function(*args, **options)
        if self._reason is not None:
            log.info("%s: the daemon answers again", self._name)
            self._reason = None
        return answer

    def _note(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        reason = f"{type(error).__name__}: {error}"
        if reason != self._reason:
            log.warning("%s waits for the daemon: %s", self._name, reason)
            self._reason = reason
