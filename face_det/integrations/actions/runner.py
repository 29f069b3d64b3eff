"""Performs actions when the daemon's events meet their conditions, each action independently."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from face_det.errors import FaceDetError
from face_det.integrations.actions.conditions import Conditions
from face_det.integrations.actions.dead_letters import DeadLetters
from face_det.integrations.actions.effects import ActionFailed, ActionRefused, Effect
from face_det.integrations.actions.memory import Memory
from face_det.integrations.consumer import EventConsumer
from face_det.integrations.daemon import CALL_S, Daemon
from face_det.integrations.lease import CursorLease, Owner
from face_det.programs import run_until_stopped
from face_det.rpc import AsyncClient
from face_det.systemd import Notifier

log = logging.getLogger(__name__)

OPENS_WITHIN_S = 10.0
"""Nothing opens if the picture is older than this, or its time is further in the future."""
LONGEST_PAUSE_S = 60.0
"""The longest pause before what failed is tried again; it begins with one second and doubles."""
RECALL = 1000
"""How many events are read again at the start, to learn what was already done."""
ALIVE_S = 5.0


@dataclass(frozen=True)
class Action:
    """What is done, when, and how often it is tried.

    `once_per_visit`: no second time in one visit, whoever is seen. `max_age_s`: not for somebody who was seen
    longer ago. An action that opens something (`conditions.opens`) is tried once, whatever `attempts` says,
    and not again for a person whom that camera saw less than `visit_gap_s` before.
    """

    name: str
    effect: Effect
    conditions: Conditions
    once_per_visit: bool = False
    attempts: int = 6
    max_age_s: float = 3600.0
    visit_gap_s: float = 60.0

    @property
    def cursor(self) -> str:
        """The name under which the daemon keeps the action's cursor."""
        return f"actions/{self.name}"


class ActionRunner:
    """Performs one action for each event that meets its conditions, one at a time.

    The cursor of an action that opens something moves before it is performed: it is performed at most
    once. Any other is performed at least once: its cursor moves afterwards, and a failed action is retried.
    Actions that are given up are written to `dead_letters`.
    """

    def __init__(
        self,
        daemon: Daemon,
        action: Action,
        dead_letters: DeadLetters,
        owner: Owner,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._action = action
        self.lease = CursorLease(daemon, action.cursor, owner)
        self._counts = self.lease.counts = {"done": 0, "retried": 0, "failed": 0}
        self._dead_letters = dead_letters
        self._now = now
        self._consumer = EventConsumer(
            daemon,
            action.cursor,
            self._handle,
            at_most_once=action.conditions.opens,
            wanted=action.conditions.met_by,
            lease=self.lease,
        )
        self._memory = Memory()
        self._recalled: tuple[str | None, int] | None = None

    async def run(self) -> None:
        """Follow events until cancelled; raises the daemon's error if it keeps no events.

        While another program performs this action, it waits.
        """
        try:
            await asyncio.gather(self.lease.hold(self._consumer.run), self._check_names())
        finally:
            await self._action.effect.close()

    async def _check_names(self) -> None:
        """Warn about names under which nobody is enrolled: they may be misspelt."""
        conditions = self._action.conditions
        names = {*conditions.persons, *(conditions.never_unlock if conditions.opens else ())}
        if not names:
            return
        try:
            people = await self._consumer.call("people", timeout_s=CALL_S)
        except FaceDetError as error:
            log.warning(
                "action %s: cannot check whether its people are enrolled: %s", self._action.name, error
            )
            return
        for name in sorted(names - {one["name"] for one in people}):
            log.warning("action %s: nobody called %s is enrolled", self._action.name, name)

    async def _handle(self, event: dict[str, Any]) -> None:
        opens = self._action.conditions.opens
        if self._action.once_per_visit or opens:
            await self._recall(event)
        if self._action.once_per_visit and not self._memory.is_new_visit(self._consumer.log, event):
            return
        age_s = self._now() - event["time"]
        if opens:
            if abs(age_s) > OPENS_WITHIN_S:
                self._give_up(event, f"opens nothing: the picture is {age_s:.1f} s old by this clock")
                return
            if not self._memory.was_away(event, self._action.visit_gap_s):
                log.info("action %s: not again for event %d", self._action.name, event["seq"])
                return
        elif age_s > self._action.max_age_s:
            self._give_up(
                event, f"too late: seen {age_s:.0f} s ago, and maxAge is {self._action.max_age_s:g} s"
            )
            return
        try:
            await self._perform(event)
        except ActionFailed as error:
            self._give_up(event, str(error))
        else:
            self._counts["done"] += 1
            log.info("action %s: done for event %d", self._action.name, event["seq"])

    async def _perform(self, event: dict[str, Any]) -> None:
        """Perform the action, again and again if it fails; raise its last error."""
        attempts = 1 if self._action.conditions.opens else self._action.attempts
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(ActionFailed) & retry_if_not_exception_type(ActionRefused),
            wait=wait_exponential(multiplier=1, max=LONGEST_PAUSE_S),
            stop=stop_after_attempt(attempts),
            before_sleep=self._note_failure,
            reraise=True,
        ):
            with attempt:
                if not self._action.conditions.opens:
                    await self.lease.confirm()
                try:
                    await self._action.effect.perform(event)
                except ActionFailed:
                    raise
                except Exception as error:
                    # A bug in one action must not stop the others.
                    log.exception("action %s: %s", self._action.name, error)
                    why = f"a bug in face_det: {type(error).__name__}; the log has the traceback"
                    raise ActionFailed(why) from error

    async def _recall(self, event: dict[str, Any]) -> None:
        """Learn from earlier events of this log in which visits the action was already due."""
        here = (self._consumer.log, self.lease.turns)
        if self._recalled == here:
            return
        after = max(0, event["seq"] - 1 - RECALL)
        answer = await self._consumer.call("events", after, 0, timeout_s=CALL_S)
        self._memory.forget_visits()
        for earlier in answer["events"]:
            if earlier["seq"] < event["seq"] and self._action.conditions.met_by(earlier):
                self._memory.is_new_visit(answer["log"], earlier)
                if earlier["time"] <= self._now() + OPENS_WITHIN_S:
                    self._memory.was_away(earlier, self._action.visit_gap_s)
        self._recalled = here

    def _give_up(self, event: dict[str, Any], reason: str) -> None:
        self._counts["failed"] += 1
        log.error("action %s: not done for event %d: %s", self._action.name, event["seq"], reason)
        self._dead_letters.add(self._action.name, event, reason)

    def _note_failure(self, state: RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        self._counts["retried"] += 1
        pause_s = state.next_action.sleep if state.next_action is not None else 0
        log.warning("action %s: %s; again in %g s", self._action.name, error, pause_s)


async def perform_actions(daemon: Daemon, actions: Sequence[Action], state_folder: Path) -> None:
    """Perform actions until cancelled; one that hangs or fails delays no other."""
    notifier = Notifier(os.environ)
    dead_letters, owner = DeadLetters(state_folder), Owner(f"actions {daemon}")
    runners = [ActionRunner(daemon, one, dead_letters, owner) for one in actions]
    work = [asyncio.ensure_future(one.run()) for one in runners]
    work.append(asyncio.ensure_future(_stay_alive(notifier, [one.lease for one in runners])))
    notifier.ready(f"{len(actions)} actions")
    log.info("ready: %s", ", ".join(one.name for one in actions))
    try:
        await asyncio.gather(*work)
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        owner.close()


async def _stay_alive(notifier: Notifier, leases: Sequence[CursorLease]) -> None:
    while True:
        notifier.alive()
        waiting = [one.reason for one in leases if one.reason is not None]
        notifier.status(waiting[0] if waiting else f"{len(leases)} actions")
        await asyncio.sleep(ALIVE_S)


def run_actions(daemon: AsyncClient, actions: Sequence[Action], state_folder: Path) -> None:
    """Perform actions until SIGTERM or SIGINT; failed ones are written to a log in the folder."""
    run_until_stopped(lambda: perform_actions(daemon, actions, state_folder), daemon)
