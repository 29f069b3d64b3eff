"""Whatever arrives at the socket, the daemon goes on answering."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import tracemalloc

import gevent
import msgpack
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from face_det.rpc import messages


@pytest.fixture
def peer(launch):
    """A daemon and a bare zmq connection to it."""
    daemon = launch(workers=1)
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.connect(daemon.endpoint)
        yield daemon, dealer


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\0" * 100,
        b"\xff" * 10_000,
        random.Random(1).randbytes(100_000),
    ],
    ids=["http", "zeros", "ones", "noise"],
)
def test_what_is_not_zmq(launch, call, free_port, data):
    """A browser, a port scanner, noise."""
    daemon = launch(zerorpcPipe=f"tcp://127.0.0.1:{free_port}")
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", free_port), timeout=10) as connection:
            connection.sendall(data)
    assert call(daemon, "people")


HEADER = {"v": 3, "message_id": b"1"}


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"", b""],
        [b"", b"GET / HTTP/1.1"],
        [b"12345678"] * 20,
        [b"", b"\xdd\xff\xff\xff\xff"],
        [b"", b"\x91" * 100_000],
        *[
            [b"", msgpack.packb(content)]
            for content in (
                None,
                [],
                [1, 2, 3],
                [HEADER, "people"],
                [{}, "people", []],
                [HEADER, 5, []],
                [HEADER, "people", {}],
                [HEADER, "people", 5],
                [{"v": 3, "message_id": []}, "people", []],
                [{"v": 3, "message_id": b"1", "response_to": []}, "people", []],
                [{"v": 3, "message_id": b"1", "response_to": {}}, "_zpc_hb", []],
                [{"v": 3, "message_id": b"1", "response_to": b"none"}, "_zpc_hb", [0]],
                [{"v": "3", "message_id": b"1"}, "people", []],
                [{"v": None, "message_id": b"1"}, "_zerorpc_inspect", [1, 2]],
                [{5: 6, "message_id": 7}, "detect_faces", [{1: 2}]],
                [HEADER, "_zerorpc_help", [[]]],
                [HEADER, "x" * 100_000, []],
            )
        ],
    ],
)
def test_messages_that_are_none(lasting, call, frames):
    """Wrong frames, wrong msgpack, wrong types in each place: dropped, or an error for the sender alone."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.connect(lasting.endpoint)
        for _ in range(3):
            dealer.send_multipart(frames)
        assert call(lasting, "people")
        assert "Traceback" not in lasting.log()


def test_a_message_too_large_is_not_taken(launch, call):
    """More than the largest picture: the connection is closed, and the memory never taken."""
    daemon = launch(maxFileBytes=1000)
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        monitor = dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        dealer.connect(daemon.endpoint)
        dealer.send_multipart([b"", bytes(40_000_000)])
        assert monitor.poll(30_000)
        dealer.disable_monitor()
        monitor.close()
    assert call(daemon, "recognize", bytes(20_000_000))[0]["bytes"] == 20_000_000


def test_a_flood_of_messages_for_one_call(peer, call, gate):
    """More than any client may send while its call is computed; zerorpc's own server goes deaf on them."""
    daemon, dealer = peer
    steps = list(gate.steps)
    dealer.send_multipart([b"", msgpack.packb([HEADER, "detect_faces", [steps]])])
    gate.begun()
    for number in range(5000):
        more = {"v": 3, "message_id": number, "response_to": b"1"}
        dealer.send_multipart([b"", msgpack.packb([more, "_zpc_more", [number]])])
    dealer.send_multipart([b"", msgpack.packb([HEADER, "people", []])])
    assert call(daemon, "people")
    gate.open()
    gevent.sleep(0)
    assert dealer.poll(30_000)
    assert msgpack.unpackb(dealer.recv_multipart()[-1])[1] == "OK"


def test_only_the_caller_can_give_a_call_up(peer, call, gate):
    """Somebody else who knows the call's id changes nothing; its own caller ends it."""
    daemon, dealer = peer
    dealer.send_multipart([b"", msgpack.packb([HEADER, "detect_faces", [list(gate.steps)]])])
    gate.begun()
    cancel = msgpack.packb([{"v": 3, "message_id": b"2", "response_to": b"1"}, "_face_det_cancel", []])
    with zmq.Context() as context, context.socket(zmq.DEALER) as other:
        other.linger = 0
        other.connect(daemon.endpoint)
        for content in (cancel, msgpack.packb([HEADER, "status", []])):
            other.send_multipart([b"", content])
        assert other.poll(60_000)
    assert "caller_gone" not in daemon.log()
    for _ in range(2):
        dealer.send_multipart([b"", cancel])
    daemon.until_logged("detect_faces error=caller_gone")
    gate.open()
    assert call(daemon, "people")


def test_a_flood_keeps_nobody_waiting(launch, call):
    """One peer that sends without a pause: others are answered all the same."""
    daemon, enough = launch(), threading.Event()

    def flood():
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.linger = 0
            dealer.connect(daemon.endpoint)
            while not enough.is_set():
                with contextlib.suppress(zmq.Again):
                    dealer.send_multipart([b"", b"\xc1"], flags=zmq.DONTWAIT)

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        daemon.until_logged("dropped a malformed message")
        for _ in range(5):
            assert call(daemon, "people")
    finally:
        enough.set()
        flooding.join()


def test_the_log_is_not_flooded(peer, call):
    """A thousand malformed messages are one line."""
    daemon, dealer = peer
    for _ in range(1000):
        dealer.send_multipart([b"", b"\xc1"])
    daemon.until_logged("dropped a malformed message (1 so far): must be msgpack, got 1 other bytes")
    assert call(daemon, "people")
    assert daemon.log().count("malformed") == 1


def test_a_protocol_of_old_gets_its_errors_in_one_part(peer):
    """Version 1 of zerorpc knew an error only as text."""
    _, dealer = peer
    dealer.send_multipart([b"", msgpack.packb([{"message_id": "old"}, "none", []])])
    assert dealer.poll(30_000)
    header, name, args = msgpack.unpackb(dealer.recv_multipart()[-1])
    assert (header["response_to"], name) == ("old", "ERR")
    assert args[0].startswith("BadRequest: verb: must be one of ")


@pytest.mark.parametrize(
    "elements",
    [
        b"\xdd\x00\x4c\x4b\x40" + b"\x90" * 5_000_000,
        b"\xdd\x00\x4c\x4b\x40" + b"\x80" * 5_000_000,
        b"\xdd\x00\x00\x00\x0a" + (b"\xdd\x00\x07\xa1\x20" + b"\xa1x" * 500_000) * 10,
        b"\xdf\x00\x4c\x4b\x40" + b"\xa1x\xc0" * 5_000_000,
    ],
    ids=["lists", "tables", "texts", "keys"],
)
def test_small_messages_take_little_memory(elements):
    """A byte on its way may be a hundred here: what has more elements than any request is not built."""
    payload = b"\x93\x81\xaamessage_id\xa11\xa6people\x91" + elements
    tracemalloc.start()
    try:
        with pytest.raises(messages.MalformedMessage):
            messages.unpack_message([b"route", b"", payload])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200e6


def test_a_request_as_large_as_they_come():
    """A thousand pictures with ten people each."""
    label = {"id": 1, "name": "person", "box": {"ymin": 0, "xmin": 0, "ymax": 1, "xmax": 1}, "score": 0.5}
    images = [{"image": "/x.jpg", "labels": [label] * 10}] * 1000
    payload = msgpack.packb([HEADER, "detect_faces", [images]])
    assert messages.unpack_message([b"", payload]).args == (images,)


@pytest.mark.parametrize(
    ("verb", "expected"), [(b"\xa6peopl\xe9", ["BadRequest", "peopl"]), (b"\xa9recognize", [])]
)
def test_texts_that_are_not_utf8_are_answered(peer, verb, expected):
    """A path in Latin-1, a verb that is none: an error is an answer, silence is none."""
    _, dealer = peer
    header = b"\x93\x82\xa1v\x03\xaamessage_id\xa11"
    dealer.send_multipart([b"", header + verb + b"\x91\xab/caf\xe9/x.jpg"])
    assert dealer.poll(30_000)
    header, _, args = msgpack.unpackb(dealer.recv_multipart()[-1])
    assert header["response_to"] == "1"
    assert all(part in str(args) for part in expected)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_any_frames_are_a_message_or_malformed(frames):
    """No other exception comes out of unpack."""
    with contextlib.suppress(messages.MalformedMessage):
        messages.unpack_message(frames)


_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(deadline=None)
@given(_values)
def test_any_msgpack_is_a_message_or_malformed(value):
    """The same for what is msgpack, but perhaps no message."""
    try:
        payload = msgpack.packb(value)
        messages.unpack_message([b"route", b"", payload])
    except (messages.MalformedMessage, UnicodeEncodeError):
        pass


@settings(deadline=None)
@given(st.text() | st.binary() | st.integers(0, 2**32), st.text(min_size=1), st.lists(_values, max_size=3))
def test_what_is_packed_can_be_unpacked(call_id, name, args):
    """The reply's frames are a message again, on the same route, for the same call."""
    try:
        *route, payload = messages.pack_message((b"a", b"b"), call_id, name, args)
    except UnicodeEncodeError:
        return
    message = messages.unpack_message([*route, payload])
    assert (message.route, message.response_to, message.name) == ((b"a", b"b"), call_id, name)
