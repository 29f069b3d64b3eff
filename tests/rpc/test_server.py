"""What only a server in this process can show."""

from __future__ import annotations

import pytest
from gevent.event import Event

from face_det.rpc.server import RpcServer


@pytest.mark.parametrize("loop", ["_receive", "_beat"])
def test_a_loop_that_ends_is_reported(monkeypatch, caplog, loop):
    """A daemon that is deaf must not look alive: it is told, and can end."""

    def fail():
        raise OSError("no more")

    server = RpcServer(lambda name, args: None, heartbeat_s=1, max_message_bytes=1000)
    monkeypatch.setattr(server, loop, fail)
    crashed = Event()
    server.start(crashed.set)
    assert crashed.wait(60)
    assert "can no longer serve" in caplog.text
    server.close(0)
