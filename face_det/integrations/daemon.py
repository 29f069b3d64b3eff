"""The daemon, as integrations call it."""

from __future__ import annotations

from typing import Any, Protocol

CALL_S = 15.0
"""How long an ordinary call may take; one that waits may take this much longer than it waits."""


class Daemon(Protocol):
    """Whatever calls the daemon's verbs: an AsyncClient."""

    async def call(self, verb: str, *args: Any, timeout_s: float | None = None) -> Any:
        """Call a verb and return its answer; raise the error that the daemon reports, or Unreachable."""
        ...
