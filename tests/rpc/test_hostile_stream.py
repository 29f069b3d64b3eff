"""Thousands of damaged messages over a real socket, while somebody else is served."""

from __future__ import annotations

import random
import runpy
from pathlib import Path

import gevent
import msgpack
import psutil
import pytest
import zmq

MUTANTS = Path(__file__).parents[2] / "fuzz/mutants.py"
MESSAGES = 3000
CAP_MB = 200


@pytest.mark.parametrize("tcp", [False, True], ids=["ipc", "tcp"])
def test_damaged_messages(launch, call, free_port, tcp):
    """All are passed over or refused; the daemon's memory stays, and others are served."""
    daemon = launch(workers=1, **({"zerorpcPipe": f"tcp://127.0.0.1:{free_port}"} if tcp else {}))
    rng, mutated = random.Random(7), runpy.run_path(str(MUTANTS))["mutated"]
    header = {"message_id": b"1", "v": 3}
    box = {"ymin": 1, "xmin": 1, "ymax": 9, "xmax": 9}
    request = [{"image": "/x", "labels": [{"name": "person", "box": box}], "note": 1}]
    seeds = [
        msgpack.packb([header, verb, args])
        for verb, args in (("detect_faces", [request]), ("people", []), ("forget", ["x"]), ("_zpc_hb", [0]))
    ]
    before = psutil.Process(daemon.process.pid).memory_info().rss
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.connect(daemon.endpoint)
        for number in range(MESSAGES):
            frames = [
                b"",
                mutated(rng, rng.choice(seeds), seeds, (b"\xc1", b"\xdd\xff\xff\xff\xff", b"\xc9")),
            ]
            if rng.random() < 0.05:
                frames = [rng.randbytes(rng.randrange(9)) for _ in range(rng.randrange(1, 6))]
            dealer.send_multipart(frames)
            while dealer.poll(0):
                *_, payload = dealer.recv_multipart()
                assert msgpack.unpackb(payload)[1] in ("OK", "ERR", "_zpc_hb")
            if number % 500 == 0:
                gevent.sleep(0)
                assert call(daemon, "people", timeout=30)
        assert call(daemon, "people", timeout=30)
    grown = psutil.Process(daemon.process.pid).memory_info().rss - before
    assert grown < CAP_MB * 2**20
    assert daemon.process.poll() is None
    assert "can no longer serve" not in daemon.log()
