"""What both clients promise, against the daemon."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from face_det.config.load import load_config
from face_det.errors import (
    BadImage,
    Busy,
    ConfigError,
    FaceDetError,
    ModelMismatch,
    UnknownPerson,
    Unreachable,
)


def test_verbs_are_methods(lasting, connect):
    """Each verb, with what it takes and returns."""
    with connect(lasting.endpoint) as client:
        assert client.detect_faces([{"note": 1}]) == '[{"note": 1}]'
        assert client.recognize(b"ab") == [{"face": None, "bytes": 2, "options": None}]
        assert client.recognize("/a", {"k": 1}) == [{"face": None, "bytes": 2, "options": {"k": 1}}]
        assert client.add_face("Ann", b"x") == {"name": "Ann", "images": 1}
        assert client.people() == [{"name": "Ann", "images": 3}]
        assert client.train() == {"trained": True}
        assert client.reload()["changed"] == []
        assert client.status()["version"] == "0"
        with pytest.raises(UnknownPerson, match=r"^name: must be somebody enrolled, got 'Zoe'$"):
            client.forget("Zoe")


def test_a_client_of_a_configuration(lasting, connect):
    """It calls the configured daemon, or the one at another endpoint."""
    config = load_config(lasting.config, {})
    with connect.configured(config, 30) as client:
        assert client.status()["version"] == "0"
    elsewhere = config.model_copy(update={"zerorpc_pipe": "ipc:///nowhere"})
    with connect.configured(elsewhere, 30, lasting.endpoint) as client:
        assert client.status()["version"] == "0"


@pytest.mark.parametrize("error", [BadImage, Busy, ModelMismatch, ConfigError])
def test_errors_come_back_as_their_class(lasting, connect, error):
    """By name, with the message and so with the exit code."""
    with connect(lasting.endpoint) as client, pytest.raises(error, match=r"^a: must be b$") as caught:
        client.detect_faces(
            [{"fail": [error.__name__, ["a: must be b"] if error is ConfigError else "a: must be b"]}]
        )
    assert type(caught.value) is error


def test_an_unexpected_error_is_a_plain_one(lasting, connect):
    """A bug in the daemon is none of the errors on purpose."""
    with (
        connect(lasting.endpoint) as client,
        pytest.raises(FaceDetError, match=r"^InternalError: KeyError") as caught,
    ):
        client.detect_faces([{"fail": ["KeyError", "x"]}])
    assert type(caught.value) is FaceDetError
    assert caught.value.__cause__ is None


def test_works_from_plain_threads(lasting, connect):
    """A client in each of 8 native threads, at the same time."""
    answers = {}

    def use(number):
        with connect(lasting.endpoint) as client:
            answers[number] = [client.detect_faces([{"note": number}]) for _ in range(5)]

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == {number: [f'[{{"note": {number}}}]'] * 5 for number in range(8)}


def test_nobody_there_is_told_at_once(folder, free_port, connect):
    """No socket, a socket whose daemon was killed, a port without a listener: none waits for the timeout."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "left"))
    for endpoint in (f"ipc://{folder}/none", f"ipc://{folder}/left", f"tcp://127.0.0.1:{free_port}"):
        with connect(endpoint, timeout_s=3600) as client, pytest.raises(Unreachable) as caught:
            client.people()
        assert str(caught.value).startswith(f"{endpoint}: a daemon must answer there, got: ")
        assert str(caught.value).endswith("is it running? `face-det serve` or `face-det up` starts it")
        assert "\n" not in str(caught.value)


def test_no_reply_in_time_is_unreachable_and_leaves_the_client_usable(lasting, gate, connect):
    """The call is given up, and the same client's next one is answered."""
    with connect(lasting.endpoint, timeout_s=1) as client:
        with pytest.raises(Unreachable, match="no reply to detect_faces within 1 s"):
            client.detect_faces(list(gate.steps))
        gate.open()
        assert client.detect_faces([]) == "[]"


def test_a_server_that_falls_silent_is_unreachable(connect):
    """Somebody listens and never answers: twice the heartbeat, and it is given up."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        endpoint = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        client = connect(endpoint, timeout_s=60, heartbeat_s=0.2)
        with client, pytest.raises(Unreachable, match=r"no heartbeat for 0\.4 s during people"):
            client.people()


def test_an_endpoint_that_is_none(connect):
    """Refused before anything is connected."""
    with pytest.raises(ConfigError, match=r"must be ipc:///absolute/path or tcp://host:port, got 'ipc://x'"):
        connect("ipc://x")


def test_a_reply_that_comes_while_the_program_stands_still_prints_nothing(tmp_path):
    """On a busy machine zerorpc takes a late wake-up for a bug of gevent; a user can do nothing with that."""
    endpoint = f"ipc://{tmp_path}/socket"
    serve = (
        "import sys, gevent, zerorpc\n"
        "def people():\n"
        "    print('called', flush=True)\n"
        "    gevent.get_hub().threadpool.apply(sys.stdin.readline)\n"
        "    return []\n"
        "server = zerorpc.Server({'people': people}, heartbeat=60)\n"
        "server.bind(sys.argv[1])\n"
        "print('bound', flush=True)\n"
        "server.run()"
    )
    call = "import sys\nfrom face_det import Client\nprint(Client(sys.argv[1]).people())"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", serve, endpoint], stdin=pipe, stdout=pipe, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        assert server.stdout.readline() == "bound\n"
        client = subprocess.Popen([sys.executable, "-c", call, endpoint], stdout=pipe, stderr=pipe, text=True)
        try:
            assert server.stdout.readline() == "called\n"
            client.send_signal(signal.SIGSTOP)
            server.stdin.write("\n")
            server.stdin.flush()
            time.sleep(1.5)  # zerorpc looks each second
            client.send_signal(signal.SIGCONT)
            out, errors = client.communicate()
        finally:
            client.kill()
            server.kill()
    assert (client.returncode, out, errors) == (0, "[]\n", "")
