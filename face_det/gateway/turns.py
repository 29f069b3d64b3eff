"""A turn of their own at the daemon for each of the gateway's users.

The daemon lets connections take turns. If all users shared one, somebody who uploads fifty photos would keep
the rest of the family waiting, so each user has a connection.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from face_det.rpc import AsyncClient

CURRENT_USER: ContextVar[str] = ContextVar("user", default="")
"""Whose request a task answers; empty for what the gateway does by itself."""

MAX_USERS = 32
"""The most connections. While all are in use, further users share the gateway's own."""


@dataclass(slots=True)
class _Turn:
    """A user's connection, and how many calls it waits for."""

    client: AsyncClient
    calls: int = 0


class DaemonInTurns:
    """Calls the daemon's verbs, for each CURRENT_USER over a connection of its own.

    `connect` makes a client that connects on its first call. Use it on one event loop, and close it there.
    """

    def __init__(self, connect: Callable[[], AsyncClient], max_users: int = MAX_USERS) -> None:
        self._connect = connect
        self._max_users = max_users
        self._turns: OrderedDict[str, _Turn] = OrderedDict([("", _Turn(connect()))])

    async def call(self, verb: str, *args: Any, timeout_s: float | None = None) -> Any:
        """Call a verb and return its answer; raise the error that the daemon reports, or Unreachable."""
        turn, retired = self._turn_of(CURRENT_USER.get())
        turn.calls += 1
        try:
            if retired is not None:
                await retired.close()
            return await turn.client.call(verb, *args, timeout_s=timeout_s)
        finally:
            turn.calls -= 1

    async def aclose(self) -> None:
        """Disconnect."""
        while self._turns:
            _, turn = self._turns.popitem()
            await turn.client.close()

    def _turn_of(self, user: str) -> tuple[_Turn, AsyncClient | None]:
        """Return a user's turn and, if another's made room for it, the client to close."""
        retired = None
        if user not in self._turns:
            if len(self._turns) >= self._max_users:
                idle = next((name for name, turn in self._turns.items() if name and not turn.calls), None)
                if idle is None:
                    return self._turns[""], None
                retired = self._turns.pop(idle).client
            self._turns[user] = _Turn(self._connect())
        self._turns.move_to_end(user)
        return self._turns[user], retired
