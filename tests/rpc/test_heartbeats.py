"""A caller is kept for as long as its call is computed, whatever its heartbeat."""

from __future__ import annotations

import json
import time

import gevent
import msgpack
import pytest
import zerorpc
import zmq


@pytest.mark.slow
def test_a_call_of_twelve_heartbeats(launch):
    """Sleeping or burning CPU in Python, a long call completes, and others are served meanwhile."""
    daemon = launch(zerorpcHeartBeat=1000, workers=2)
    client, other = daemon.client(heartbeat=1, timeout=100), daemon.client(heartbeat=1)
    long = [
        gevent.spawn(client.detect_faces, [step, {"burn": 4}, {"sleep": 4}])
        for step in ({"sleep": 4}, {"burn": 4})
    ]
    asked = 0
    while not all(call.ready() for call in long):
        assert other.people()
        asked += 1
        gevent.sleep(0.5)
    assert [json.loads(call.get())[1] for call in long] == [{"burn": 4}] * 2
    assert asked > 4
    client.close()
    other.close()


@pytest.mark.parametrize(
    ("server_ms", "client_s", "passive"),
    [
        (60_000, 0.3, False),  # a client that was never told: its default is shorter than ours
        (60_000, 0.3, True),  # the same, but it only answers, as zerorpc's command line does
        (200, 60, False),  # ours is the shorter one
        (200, None, False),  # no heartbeats at all
        (300, 0.3, False),
    ],
)
def test_a_heartbeat_that_does_not_match_loses_nobody(launch, call, server_ms, client_s, passive):
    """A call that takes many intervals of the shorter side still gets its answer."""
    daemon = launch(zerorpcHeartBeat=server_ms)
    steps = [{"sleep": 2}]
    assert (
        json.loads(call(daemon, "detect_faces", steps, heartbeat=client_s, passive_heartbeat=passive))
        == steps
    )


@pytest.mark.slow
def test_our_own_stall_is_not_taken_for_the_callers_silence(launch):
    """While native code holds the GIL no heartbeat can be read; afterwards the caller is still there."""
    daemon = launch(zerorpcHeartBeat=500)
    with zmq.Context() as context, context.socket(zmq.DEALER) as caller:
        caller.connect(daemon.endpoint)
        steps = [{"sleep": 1}, {"hold_gil": 4}, {"sleep": 1}]
        _send(caller, {"v": 3, "message_id": b"1"}, "detect_faces", [steps])
        end = time.monotonic() + 30
        name = ""
        while name != "OK":
            assert time.monotonic() < end
            _send(caller, {"v": 3, "message_id": b"2", "response_to": b"1"}, "_zpc_hb", [0])
            while caller.poll(200) and name != "OK":
                _, name, args = msgpack.unpackb(caller.recv_multipart()[-1])
    assert args == [json.dumps(steps)]


def test_a_caller_that_falls_silent_is_given_up(launch, call, gate, folder):
    """After twice its interval without a heartbeat, a call that waits is not computed any more."""
    daemon = launch(zerorpcHeartBeat=200, workers=1)
    busy = gevent.spawn(call, daemon, "detect_faces", list(gate.steps))
    gate.begun()
    with zmq.Context() as context, context.socket(zmq.DEALER) as caller:
        caller.connect(daemon.endpoint)
        _send(caller, {"v": 3, "message_id": b"1"}, "detect_faces", [[{"touch": str(folder / "computed")}]])
        _send(caller, {"v": 3, "message_id": b"2", "response_to": b"1"}, "_zpc_hb", [0])
        daemon.until_logged("detect_faces error=caller_gone")
    gate.open()
    assert busy.get(timeout=300)
    assert not (folder / "computed").exists()


def test_zerorpc_itself_loses_a_caller_that_computes_on_its_hub():
    """What the threads are for: zerorpc's client does give up one that sends no heartbeats."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as deaf:
        port = deaf.bind_to_random_port("tcp://127.0.0.1")
        client = zerorpc.Client(f"tcp://127.0.0.1:{port}", heartbeat=0.2, timeout=20)
        with pytest.raises(zerorpc.LostRemote):
            client.detect_faces([])
        client.close()
        deaf.close(linger=0)


def _send(caller, header, name, args):
    caller.send_multipart([b"", msgpack.packb((header, name, args))])
