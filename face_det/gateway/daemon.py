"""The daemon, as routes see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

READING_VERBS = frozenset(
    [
        *("camera_picture", "changes", "evaluation", "models", "people", "photo", "photos", "picture"),
        *("heard", "recording", "recordings"),
        *("sighting", "sightings", "status", "thumbnail", "unknowns"),
    ]
)
"""Verbs that only look something up: a daemon that works answers them in far less than READING_S."""

READING_S = 15.0
"""How long a daemon may take over them before the reader is told that it does not answer."""


class Daemon(Protocol):
    """Whatever calls the daemon's verbs: an AsyncClient."""

    async def call(self, verb: str, *args: Any, timeout_s: float | None = None) -> Any:
        """Call a verb and return its answer; raise the error that the daemon reports, or Unreachable."""
        ...


@dataclass(frozen=True, slots=True)
class PatientDaemon:
    """A daemon that hangs is given up soon by calls that only read, and late by those that may take long."""

    daemon: Daemon

    async def call(self, verb: str, *args: Any, timeout_s: float | None = None) -> Any:
        """Call a verb; without `timeout_s`, READING_VERBS get READING_S, and others the client's time."""
        if timeout_s is None and verb in READING_VERBS:
            timeout_s = READING_S
        return await self.daemon.call(verb, *args, timeout_s=timeout_s)
