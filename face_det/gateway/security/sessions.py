"""Who is logged in: random ids, kept in memory, so a restart logs everybody out."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

LIFETIME_S = 30 * 24 * 3600
MAX_SESSIONS = 1000


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that has logged in: the token that its page must send, and the password it used."""

    csrf: str
    password: str
    expires: float


class Sessions:
    """The sessions of the page. Only hashes of their ids are kept, so a copy of the memory opens none.

    >>> sessions = Sessions()
    >>> identifier = sessions.open("$argon2id$...")
    >>> sessions.find(identifier, "$argon2id$...") is not None
    True
    >>> sessions.find(identifier, "the hash of a new password") is None
    True
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def open(self, password: str) -> str:
        """Start a session after a login with the password of this hash; return its id."""
        identifier = secrets.token_urlsafe(32)
        now = self._clock()
        for key in [key for key, session in self._sessions.items() if session.expires <= now]:
            del self._sessions[key]
        while len(self._sessions) >= MAX_SESSIONS:
            self._sessions.popitem(last=False)
        self._sessions[_key(identifier)] = Session(secrets.token_urlsafe(32), password, now + LIFETIME_S)
        return identifier

    def find(self, identifier: str, password: str | None) -> Session | None:
        """Return a session that has not expired and that was opened with the password of this hash."""
        session = self._sessions.get(_key(identifier))
        if session is None or session.expires <= self._clock() or session.password != password:
            return None
        return session

    def close(self, identifier: str) -> None:
        """End a session."""
        self._sessions.pop(_key(identifier), None)


def _key(identifier: str) -> str:
    return hashlib.sha256(identifier.encode("utf-8", "surrogateescape")).hexdigest()
