"""Sessions end by themselves."""

from __future__ import annotations

from face_det.gateway.security.sessions import LIFETIME_S, MAX_SESSIONS, Sessions

PASSWORD = "the hash of a password"


def test_a_session_expires():
    """After its time the same cookie lets nobody in, and it is not kept."""
    now = [1000.0]
    sessions = Sessions(clock=lambda: now[0])
    cookie = sessions.open(PASSWORD)
    now[0] += LIFETIME_S - 1
    assert sessions.find(cookie, PASSWORD) is not None
    now[0] += 1
    assert sessions.find(cookie, PASSWORD) is None
    sessions.open(PASSWORD)
    assert len(sessions._sessions) == 1


def test_there_is_a_limit_to_how_many_there_are():
    """The oldest one makes room; whoever has just logged in stays."""
    sessions = Sessions()
    cookies = [sessions.open(PASSWORD) for _ in range(MAX_SESSIONS + 1)]
    assert sessions.find(cookies[0], PASSWORD) is None
    assert all(sessions.find(cookie, PASSWORD) is not None for cookie in cookies[1:])
