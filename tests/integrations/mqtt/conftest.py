"""What the tests of the bridge share: events of a test, and somebody who listens."""

from __future__ import annotations

import pytest
from event_log import EventLog
from mosquitto import Listener


@pytest.fixture
def anyio_backend():
    """Tests marked with `anyio` are coroutines, which asyncio runs."""
    return "asyncio"


@pytest.fixture
def daemon():
    """A daemon's log of events, to which a test appends."""
    return EventLog()


@pytest.fixture
def listener(mosquitto):
    """Somebody who hears everything from the beginning, also after the broker has restarted."""
    listening = Listener(mosquitto)
    yield listening
    listening.close()
