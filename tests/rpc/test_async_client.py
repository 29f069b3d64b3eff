"""What AsyncClient promises beyond Client, against daemons and worse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time

import msgpack
import pytest
import zmq
import zmq.asyncio

from face_det.errors import BadImage, FaceDetError, Unreachable
from face_det.rpc import AsyncClient, async_client, async_connection, authorise_client, create_server_keys

PATIENCE_S = 60


def run(main):
    """Run a coroutine function in a loop that reports what is left undone."""
    return asyncio.run(asyncio.wait_for(main(), 2 * PATIENCE_S))


async def until(condition):
    """Wait until condition() is true."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


@contextlib.contextmanager
def server(folder, *scenes):
    """A server that answers the requests of each scene, one after the other, as it says."""
    endpoint = f"ipc://{folder}/hostile"
    context, ended = zmq.Context(), threading.Event()
    router = context.socket(zmq.ROUTER)
    router.linger = 5000
    router.bind(endpoint)

    def serve():
        with router:
            for scene in scenes:
                while not router.poll(50):
                    if ended.is_set():
                        return
                route, _, payload = router.recv_multipart()
                for frames in scene(msgpack.unpackb(payload)[0]["message_id"]):
                    router.send_multipart([route, *frames])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield endpoint, thread
    finally:
        ended.set()
        thread.join()
        context.term()


def message(response_to, name, args):
    """The frames of a message about a call."""
    return [b"", msgpack.packb(({"message_id": b"m", "v": 3, "response_to": response_to}, name, args))]


def test_without_zerorpc_and_gevent(lasting):
    """A program that uses asyncio gets neither."""
    code = (
        "import asyncio, sys\n"
        "from face_det import AsyncClient, FaceDetError\n"
        "async def main():\n"
        # Nobody is told how slow the machine is.
        "    asyncio.get_running_loop().slow_callback_duration = 3600\n"
        "    async with AsyncClient(sys.argv[1]) as client:\n"
        "        await client.call('people')\n"
        "        try:\n"
        "            await client.call('forget', 'Zoe')\n"
        "        except FaceDetError as error:\n"
        "            print(error)\n"
        "asyncio.run(main())\n"
        "print([name for name in ('zerorpc', 'gevent', 'greenlet') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code, lasting.endpoint],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "name: must be somebody enrolled, got 'Zoe'\n[]\n"
    assert done.stderr == ""


def test_two_hundred_calls_at_once(lasting):
    """Each gets its own answer, be it a value or an error, over one connection."""

    async def main():
        async with AsyncClient(lasting.endpoint) as client:
            answers = await asyncio.gather(
                *(client.call("_zerorpc_help", f"verb{number}") for number in range(100)),
                *(client.call("_zerorpc_help", verb) for verb in ("people", "status") for _ in range(50)),
                return_exceptions=True,
            )
            assert len(client._connections) == 1
            return answers

    answers = run(main)
    assert [str(answer).rpartition(", got ")[2] for answer in answers[:100]] == [
        f"'verb{number}'" for number in range(100)
    ]
    assert [answer[:10] for answer in answers[100:]] == ["List every"] * 50 + ["Return ver"] * 50


@pytest.mark.parametrize("way", ["cancelled", "timed out"])
def test_one_of_many_is_given_up(launch, gate, folder, way):
    """The daemon drops that call, at once, and answers the others over the same connection."""
    daemon = launch(workers=1)

    async def main():
        async with AsyncClient(daemon.endpoint, timeout_s=2 * PATIENCE_S) as client:
            busy = asyncio.create_task(client.call("detect_faces", list(gate.steps)))
            await until((folder / "begun").exists)
            given_up = asyncio.create_task(
                client.call(
                    "detect_faces",
                    [{"touch": str(folder / "computed")}],
                    timeout_s=0.5 if way == "timed out" else None,
                )
            )
            assert (await client.call("status"))["version"] == "0"
            if way == "cancelled":
                given_up.cancel()
            with pytest.raises(asyncio.CancelledError if way == "cancelled" else Unreachable):
                await given_up
            await until(lambda: "detect_faces error=caller_gone" in daemon.log())
            (folder / "open").touch()
            assert await busy
            assert await client.call("people")
            assert not (folder / "computed").exists()
            assert not client._current._calls

    run(main)


@pytest.mark.slow
def test_a_call_of_many_heartbeats(launch):
    """Neither side takes the other for gone, and other calls go on."""
    daemon = launch(zerorpcHeartBeat=1000, workers=2)

    async def main():
        async with AsyncClient(daemon.endpoint, timeout_s=PATIENCE_S, heartbeat_s=1) as client:
            long = asyncio.create_task(client.call("detect_faces", [{"sleep": 3}, {"burn": 3}]))
            asked = 0
            while not long.done():
                assert await client.call("people")
                asked += 1
                await asyncio.sleep(0.2)
            assert await long
            return asked

    assert run(main) > 4


def test_a_program_that_stands_still_loses_nothing(launch, gate, folder):
    """Its heartbeats stop while it blocks its loop; what the daemon sent meanwhile counts."""
    daemon = launch()

    async def main():
        async with AsyncClient(daemon.endpoint, timeout_s=PATIENCE_S, heartbeat_s=0.2) as client:
            call = asyncio.create_task(client.call("detect_faces", list(gate.steps)))
            await until((folder / "begun").exists)
            await asyncio.sleep(0.3)
            time.sleep(2)  # ten heartbeats
            (folder / "open").touch()
            assert await call

    run(main)


@pytest.mark.parametrize("tcp", [False, True], ids=["ipc", "tcp"])
def test_a_daemon_that_is_killed_and_comes_back(launch, gate, folder, free_port, tcp):
    """The open call is told at once, the next one that nobody listens, and later ones are answered."""
    settings = {"zerorpcPipe": f"tcp://127.0.0.1:{free_port}" if tcp else f"ipc://{folder}/s"}
    daemon = launch(**settings)

    async def main():
        async with AsyncClient(daemon.endpoint, timeout_s=3600, heartbeat_s=1800) as client:
            open_call = asyncio.create_task(client.call("detect_faces", list(gate.steps)))
            await until((folder / "begun").exists)
            daemon.signal(signal.SIGKILL)
            with pytest.raises(Unreachable, match="the connection was cut during detect_faces; is it"):
                await open_call
            daemon.process.wait()
            with pytest.raises(Unreachable, match="Connection refused"):
                await client.call("people")
            successor = launch(**settings)
            assert await client.call("people")
            successor.signal(signal.SIGKILL)
            successor.process.wait()
            # Nothing of the loop runs until the next call.
            launch(**settings)
            assert await client.call("people")
            assert len(client._connections) == 1

    run(main)


def test_an_answer_that_came_before_the_end_counts(folder):
    """The server answers and ends while the loop stands still, as a daemon that is stopped may."""

    asked, go = threading.Event(), threading.Event()

    def scene(call_id):
        asked.set()
        go.wait(PATIENCE_S)
        return [message(call_id, "OK", [["Ann"]])]

    async def main(endpoint, thread):
        async with AsyncClient(endpoint, timeout_s=PATIENCE_S) as client:
            call = asyncio.create_task(client.call("people"))
            await until(asked.is_set)
            go.set()
            thread.join(PATIENCE_S)
            time.sleep(0.3)
            # The next call notices the end of the connection before anything has read the answer.
            return await asyncio.gather(call, client.call("people"), return_exceptions=True)

    with server(folder, scene) as (endpoint, thread):
        first, second = run(lambda: main(endpoint, thread))
    assert first == ["Ann"]
    assert isinstance(second, Unreachable)


def test_what_a_hostile_server_sends(folder):
    """Garbage, other people's ids and what is out of place are passed over; the answer is found."""

    def scene(call_id):
        return [
            [b""],
            [b"", b"\xc1"],
            [b"", b"\xdd\xff\xff\xff\xff"],
            [b"", b"GET / HTTP/1.1"],
            [b"", os.urandom(100_000)],
            [b"x"] * 20,
            [b"", msgpack.packb([1, 2])],
            [b"", msgpack.packb([{"message_id": b"m", "response_to": []}, "OK", [1]])],
            [b"", b"\x93\x81\xaamessage_id\xa11\xa2OK\x91\xdd\x00\x4c\x4b\x40" + b"\x90" * 5_000_000],
            message(b"other", "OK", ["wrong"]),
            message(call_id.decode(), "OK", ["wrong"]),
            message(None, "OK", ["wrong"]),
            message(call_id, "_zpc_more", [10**9]),
            message(call_id, "_zpc_hb", [0]),
            message(call_id, "NONSENSE", ["wrong"]),
            message(call_id, "OK", ["right"]),
            message(call_id, "OK", ["twice"]),
        ]

    async def main(endpoint):
        async with AsyncClient(endpoint, timeout_s=PATIENCE_S) as client:
            return [await client.call("people") for _ in range(2)]

    with server(folder, scene, scene) as (endpoint, _):
        assert run(lambda: main(endpoint)) == ["right", "right"]


@pytest.mark.parametrize(
    ("name", "args", "error", "text"),
    [
        ("OK", [], Unreachable, "got: a reply to people that a daemon does not send"),
        ("ERR", [], Unreachable, "got: a reply to people that a daemon does not send"),
        ("ERR", ["BadImage"], Unreachable, "got: a reply to people that a daemon does not send"),
        ("STREAM", [1], Unreachable, "got: a reply to people that a daemon does not send"),
        ("ERR", [None, {1: 2}, ""], FaceDetError, "None: {1: 2}"),
        ("ERR", ["__doc__", "x", ""], FaceDetError, "__doc__: x"),
        ("ERR", ["SystemExit", "x", ""], FaceDetError, "SystemExit: x"),
        ("ERR", ["BadImage", "x: y", ""], BadImage, "x: y"),
    ],
)
def test_odd_replies_are_typed_errors(folder, name, args, error, text):
    """Whatever the reply, the caller gets one of our errors."""

    async def main(endpoint):
        async with AsyncClient(endpoint, timeout_s=PATIENCE_S) as client:
            await client.call("people")

    with (
        server(folder, lambda call_id: [message(call_id, name, args)]) as (endpoint, _),
        pytest.raises(FaceDetError) as caught,
    ):
        run(lambda: main(endpoint))
    assert type(caught.value) is error
    assert text in str(caught.value)


def test_an_answer_that_is_too_large_ends_the_connection(folder, monkeypatch):
    """It is not read; the next call has a new connection."""
    monkeypatch.setattr(async_connection, "MAX_ANSWER_BYTES", 1000)

    async def main(endpoint):
        async with AsyncClient(endpoint, timeout_s=PATIENCE_S) as client:
            with pytest.raises(Unreachable, match="the connection was cut during export"):
                await client.call("export", "Ann")
            return await client.call("people")

    huge = lambda call_id: [message(call_id, "OK", [bytes(10**6)])]  # noqa: E731
    small = lambda call_id: [message(call_id, "OK", ["right"])]  # noqa: E731
    with server(folder, huge, small) as (endpoint, _):
        assert run(lambda: main(endpoint)) == "right"


def test_a_server_that_never_answers(folder):
    """The time is up, or no heartbeat comes; neither harms the client."""
    quiet = [lambda _: []] * 100

    async def main(endpoint):
        async with AsyncClient(endpoint, timeout_s=PATIENCE_S, heartbeat_s=0.2) as client:
            with pytest.raises(Unreachable, match=r"no reply to people within 0\.1 s"):
                await client.call("people", timeout_s=0.1)
            with pytest.raises(Unreachable, match=r"no heartbeat for 0\.4 s during people"):
                await client.call("people")

    with server(folder, *quiet) as (endpoint, _):
        run(lambda: main(endpoint))


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 1000, b""])
def test_what_is_no_zmq(noise):
    """A web server at the port: Unreachable, whatever it says."""

    async def answer(reader, writer):
        writer.write(noise)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async def main():
        web = await asyncio.start_server(answer, "127.0.0.1", 0)
        endpoint = f"tcp://127.0.0.1:{web.sockets[0].getsockname()[1]}"
        async with AsyncClient(endpoint, timeout_s=3600, heartbeat_s=0.2) as client:
            with pytest.raises(Unreachable):
                await client.call("people")
        web.close()

    run(main)


def test_a_message_larger_than_the_daemon_takes_harms_no_other(launch, gate, folder):
    """It has a connection of its own, and the error says what it may be."""
    daemon = launch(maxFileBytes=1000, workers=2)

    async def main():
        async with AsyncClient(daemon.endpoint, timeout_s=PATIENCE_S) as client:
            other = asyncio.create_task(client.call("detect_faces", list(gate.steps)))
            await until((folder / "begun").exists)
            with pytest.raises(Unreachable, match=r"with 4\d{7} bytes, which may be more than it takes"):
                await client.call("recognize", bytes(40_000_000))
            assert (await client.call("recognize", bytes(20_000_000)))[0]["bytes"] == 20_000_000
            (folder / "open").touch()
            assert await other
            assert sum(not one.closed for one in client._connections) == 1

    assert async_client.LARGE_BYTES < 20_000_000
    run(main)


def test_a_client_whose_key_is_withdrawn(launch, folder, free_port):
    """Its open connection is not answered any more; the next one is refused at once."""
    ring = folder / "ring"
    create_server_keys(ring)
    authorise_client(ring, "ann", folder / "ann.keys")
    daemon = launch(zerorpcPipe=f"tcp://127.0.0.1:{free_port}", keysPath=str(ring))

    async def main():
        client = AsyncClient(daemon.endpoint, timeout_s=3600, heartbeat_s=1800, keys=folder / "ann.keys")
        async with client:
            assert await client.call("people")
            (ring / "clients" / "ann.json").unlink()
            daemon.signal(signal.SIGHUP)
            await until(lambda: "keys: 0 clients (0 new, 1 removed)" in daemon.log())
            with pytest.raises(Unreachable, match="no reply to people within 1 s"):
                await client.call("people", timeout_s=1)
            with pytest.raises(Unreachable, match="it does not accept our keys"):
                await client.call("people")

    run(main)


@pytest.mark.slow
def test_nothing_is_left(lasting, gate, folder):
    """After close: no task, no socket, no context; calls that wait are told, and it can be used again."""

    async def main():
        open_files, left = len(os.listdir("/proc/self/fd")), asyncio.all_tasks()  # noqa: PTH208
        for _ in range(3):
            client = AsyncClient(lasting.endpoint, timeout_s=PATIENCE_S)
            call = asyncio.create_task(client.call("detect_faces", list(gate.steps)))
            await until((folder / "begun").exists)
            await client.close()
            with pytest.raises(Unreachable, match="this client was closed during detect_faces"):
                await call
            gate.open()
            assert await client.call("people")
            await client.close()
            connecting = asyncio.create_task(client.call("people"))
            await asyncio.sleep(0)
            await client.close()
            with pytest.raises(Unreachable, match="this client was closed"):
                await connecting
            nobody = AsyncClient(f"ipc://{folder}/none")
            with pytest.raises(Unreachable):
                await nobody.call("people")
            await nobody.close()
            (folder / "begun").unlink()
            (folder / "open").unlink()
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == left
            gc.collect()
            assert len(os.listdir("/proc/self/fd")) == open_files  # noqa: PTH208

    run(main)


def test_another_event_loop_is_refused(lasting):
    """A client that was not closed belongs to its loop; one that was may be used in the next."""
    client = AsyncClient(lasting.endpoint)

    async def main():
        return await client.call("people")

    assert run(main)
    with pytest.raises(RuntimeError, match="belongs to the event loop of its first call"):
        run(main)
    asyncio.run(client.close())
    assert run(main)
    asyncio.run(client.close())


def test_a_program_that_just_ends(lasting):
    """Without close, and with a call open: it exits, and prints nothing."""
    code = (
        "import asyncio, sys\n"
        "from face_det import AsyncClient\n"
        "async def main():\n"
        "    client = AsyncClient(sys.argv[1])\n"
        "    await client.call('people')\n"
        "    call = asyncio.create_task(client.call('detect_faces', [{'sleep': 1}]))\n"
        "    await asyncio.sleep(0.2)\n"
        "asyncio.run(main())"
    )
    command = [sys.executable, "-c", code, lasting.endpoint]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert done.stderr == ""
