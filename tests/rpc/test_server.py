"""What only a server in this process can show."""

from __future__ import annotations

import socket
from types import SimpleNamespace

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


@pytest.fixture(params=["ipc", "tcp"])
def place(request, tmp_path, free_port):
    """Where a ROUTER listens, in zmq's form."""
    return f"ipc://{tmp_path}/s" if request.param == "ipc" else f"tcp://127.0.0.1:{free_port}"


@pytest.fixture
def connected(place):
    """A ROUTER and a DEALER, of which each takes up one message before it leaves the rest to the kernel.

    Each has a context, as in two processes: one thread for both might send before it sees the end.
    """
    ours, theirs = zmq.Context(), zmq.Context()
    with ours, theirs, ours.socket(zmq.ROUTER) as router, theirs.socket(zmq.DEALER) as dealer:
        for each in (router, dealer):
            each.setsockopt(zmq.RCVHWM, 1)
            each.setsockopt(zmq.LINGER, 0)
        router.bind(place)
        dealer.connect(place)
        yield router, dealer


def test_what_waits_in_the_kernel_is_known(connected):
    """A request that ZeroMQ has not read."""
    (router, dealer), sockets = connected, KernelSockets()
    for _ in range(20):
        dealer.send(bytes(100_000))
    peer, frame = router.recv_multipart(copy=False)
    sockets.note(peer.bytes, frame)
    eventually(sockets.hold_requests, "requests to wait in the kernel")
    assert not sockets.end_with(peer.bytes, [b"not while it calls"])
    for _ in range(19):
        router.recv_multipart()
    assert not sockets.hold_requests()


@pytest.mark.parametrize("length", [0, 255, 256, 60_000])
def test_a_connection_ends_with_its_reply(connected, length):
    """The reply arrives, and what the caller sends next, at once, on this connection or another."""
    (router, dealer), sockets = connected, KernelSockets()
    reply = [b"", bytes(length)]
    for number in range(5):
        dealer.send(b"%d" % number)
        peer, frame = router.recv_multipart(copy=False)
        assert frame.bytes == b"%d" % number
        sockets.note(peer.bytes, frame)
        assert sockets.end_with(peer.bytes, reply)
        assert dealer.recv_multipart() == reply
        assert not sockets.hold_requests()


def _tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        return listener.accept()[0], theirs


@pytest.mark.parametrize("pair", [socket.socketpair, _tcp_pair])
def test_a_peer_reads_the_reply_and_the_end_at_once(pair):
    """What is written is ZMTP, and the connection is over before the peer has read any of it."""
    ours, theirs = pair()
    with ours, theirs:
        sockets = KernelSockets()
        sockets.note(b"peer", SimpleNamespace(get=lambda _: ours.fileno()))
        assert sockets.end_with(b"peer", [b"", b"reply", bytes(256)])
        content = b"\1\0" + b"\1\5reply" + b"\2" + (256).to_bytes(8, "big") + bytes(256)
        assert theirs.recv(1000) == content
        assert theirs.recv(1000, socket.MSG_DONTWAIT) == b""
        if pair is socket.socketpair:
            with pytest.raises(BrokenPipeError):
                theirs.send(b"the next call")


@pytest.mark.parametrize("place", ["tcp"], indirect=True)
def test_newcomers_wait_for_the_next_server(connected, place, free_port):
    """On a port; whoever is connected is still heard."""
    router, dealer = connected
    dealer.send(b"first")
    peer, _ = router.recv_multipart()
    KernelSockets().admit_nobody()
    with dealer.context.socket(zmq.DEALER) as newcomer, dealer.context.socket(zmq.ROUTER) as following:
        newcomer.connect(place)
        newcomer.send(b"next")
        dealer.send(b"second")
        assert router.recv_multipart() == [peer, b"second"]
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", free_port), timeout=0.1)
        router.close()
        eventually(lambda: _binds(following, place), "the port to be free")
        assert following.poll(300_000)
        assert following.recv_multipart()[1] == b"next"


def _binds(router, place):
    try:
        router.bind(place)
    except zmq.ZMQError:
        return False
    return True


def test_a_large_reply_is_left_to_zeromq(connected):
    """And so is one to somebody who is not known."""
    (router, dealer), sockets = connected, KernelSockets()
    dealer.send(b"first")
    peer, frame = router.recv_multipart(copy=False)
    assert not sockets.end_with(peer.bytes, [b"unknown"])
    sockets.note(peer.bytes, frame)
    assert not sockets.end_with(peer.bytes, [bytes(10**6)])
    router.send_multipart([peer.bytes, b"as ever"])
    assert dealer.recv() == b"as ever"
