"""What only a server in this process can show."""

from __future__ import annotations

import pytest
import zmq
from gevent.event import Event
from running import eventually

from face_det.rpc.kernel_sockets import KernelSockets
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


@pytest.fixture
def connected(tmp_path):
    """A ROUTER and a DEALER, of which each takes up one message before it leaves the rest to the kernel."""
    context = zmq.Context()
    with context, context.socket(zmq.ROUTER) as router, context.socket(zmq.DEALER) as dealer:
        for each in (router, dealer):
            each.setsockopt(zmq.RCVHWM, 1)
            each.setsockopt(zmq.LINGER, 0)
        router.bind(f"ipc://{tmp_path}/s")
        dealer.connect(f"ipc://{tmp_path}/s")
        yield router, dealer


def test_what_waits_in_the_kernel_is_known(connected):
    """A request that ZeroMQ has not read, and a reply that the caller has not."""
    (router, dealer), sockets = connected, KernelSockets()
    for _ in range(20):
        dealer.send(bytes(100_000))
    peer, frame = router.recv_multipart(copy=False)
    sockets.note(peer.bytes, frame)
    eventually(lambda: sockets.holds_request(peer.bytes), "requests to wait in the kernel")
    assert sockets.hold_requests()
    for _ in range(19):
        router.recv_multipart()
    assert not sockets.hold_requests()
    for _ in range(20):
        router.send_multipart([peer.bytes, bytes(100_000)])
    eventually(lambda: sockets.holds_reply(peer.bytes), "replies to wait in the kernel")
    for _ in range(20):
        dealer.recv()
    eventually(lambda: not sockets.holds_reply(peer.bytes), "the replies to be read")
    assert not sockets.holds_request(b"somebody else")


def test_a_connection_ends_after_its_reply(connected):
    """The reply arrives, and what the caller says next comes on another connection."""
    (router, dealer), sockets = connected, KernelSockets()
    dealer.send(b"first")
    peer, frame = router.recv_multipart(copy=False)
    sockets.note(peer.bytes, frame)
    sent = router.send_multipart([peer.bytes, bytes(1_000_000)], copy=False, track=True)
    sent.wait(300)
    eventually(lambda: sent.done, "the reply to be written")
    sockets.end(peer.bytes)
    assert len(dealer.recv()) == 1_000_000
    dealer.send(b"second")
    other, content = router.recv_multipart()
    assert content == b"second"
    assert other != peer.bytes
    assert not sockets.hold_requests()
