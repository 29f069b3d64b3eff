"""Calls over tcp: who gets an answer, and who does not."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import gevent
import pytest
import zerorpc
import zmq
from running_here import run_here

from face_det.errors import BadName, ConfigError, Unreachable
from face_det.rpc import Client, address, auth, endpoint, keys


@pytest.fixture
def ring(folder):
    """A folder with the server's keys, and the file of ann, who may call."""
    ring = folder / "ring"
    keys.create_server_keys(ring)
    keys.authorise_client(ring, "ann", folder / "ann.keys")
    return ring


@pytest.fixture
def guarded(launch, ring, free_port):
    """A daemon on tcp that has keys."""
    return launch(zerorpcPipe=f"tcp://127.0.0.1:{free_port}", keysPath=str(ring))


def plain(daemon, own=None, server=None, **options):
    """zerorpc's own client, its socket given keys as docs/how-to/network.md says."""
    client = zerorpc.Client(**{"timeout": 60, "heartbeat": 60, **options})
    client._events.setsockopt(zmq.LINGER, 0)
    if own is not None:
        client._events.setsockopt(zmq.CURVE_SERVERKEY, server.encode())
        client._events.setsockopt(zmq.CURVE_PUBLICKEY, own.public.encode())
        client._events.setsockopt(zmq.CURVE_SECRETKEY, own.secret.encode())
    client.connect(daemon.endpoint)
    return client


def stranger():
    """A pair that nobody has authorised."""
    public, secret = zmq.curve_keypair()
    return keys.KeyPair(public.decode(), secret.decode())


@pytest.mark.parametrize(
    ("text", "outside"),
    [
        ("ipc:///tmp/s", False),
        *((f"tcp://{host}:1", False) for host in ("127.0.0.1", "127.8.8.8", "localhost", "[::1]")),
        *((f"tcp://{host}:1", True) for host in ("*", "0.0.0.0", "[::]", "192.0.2.1", "0")),
    ],
)
def test_what_others_can_reach(text, outside):
    """Loopback in both families and by name is this machine's; all else is not."""
    assert endpoint.is_reachable_from_outside(address.parse_endpoint(text)) is outside


def test_no_listening_to_everybody_by_accident(launch, free_port):
    """Beyond the loopback without keys: exit 78, with the three ways out; nothing listens."""
    daemon = launch(zerorpcPipe=f"tcp://*:{free_port}", ready=False)
    assert daemon.ended() == 78
    for way in ("face-det keys server", "127.0.0.1 or ipc", '"insecureTcp": true'):
        assert way in daemon.log()


def test_listening_to_everybody_on_purpose(launch, free_port):
    """insecureTcp does it, and the log warns."""
    daemon = launch(zerorpcPipe=f"tcp://*:{free_port}", insecureTcp=True)
    daemon.endpoint = f"tcp://127.0.0.1:{free_port}"
    with Client(daemon.endpoint) as client:
        assert client.people()
    assert "has no keys and insecureTcp is true" in daemon.log()


def test_with_keys_it_may_listen_to_everybody(launch, ring, folder, free_port):
    """No switch is needed then."""
    launch(zerorpcPipe=f"tcp://*:{free_port}", keysPath=str(ring))
    with Client(f"tcp://127.0.0.1:{free_port}", keys=folder / "ann.keys") as client:
        assert client.people()


def test_our_client_with_keys(guarded, folder, connect):
    """Answers, errors, and pictures as bytes go through."""
    with connect(guarded.endpoint, keys=folder / "ann.keys") as client:
        assert client.people() == [{"name": "Ann", "images": 3}]
        assert client.recognize(b"x" * 10**6)[0]["bytes"] == 10**6


def test_our_client_by_ipv6(launch, connect):
    """zmq has to be told that an address is one."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        port = probe.getsockname()[1]
    daemon = launch(zerorpcPipe=f"tcp://[::1]:{port}")
    with connect(daemon.endpoint, heartbeat_s=1) as client:
        assert client.people()


def test_the_plain_client_with_keys(guarded, folder):
    """zerorpc itself, three options on its socket."""
    own = keys.load_client_keys(folder / "ann.keys")
    client = plain(guarded, own.own, own.server)
    assert client.people() == [{"name": "Ann", "images": 3}]
    client.close()


def test_who_may_read_the_servers_keys_may_call(guarded, ring):
    """As doctor does."""
    with Client(guarded.endpoint, keys=keys.load_local_keys(ring)) as client:
        assert client.people()


def test_strangers_are_told_at_once(guarded, ring, folder, connect):
    """No key, a key of nobody, the wrong server's key: Unreachable, long before the timeout."""
    server = keys.load_server_keys(ring).public
    for own in (None, keys.ClientKeys(server, stranger()), keys.ClientKeys(stranger().public, stranger())):
        client = connect(guarded.endpoint, timeout_s=3600, heartbeat_s=1800, keys=own)
        with client, pytest.raises(Unreachable, match="keys"):
            client.people()
    with connect(guarded.endpoint, keys=folder / "ann.keys") as client:
        assert client.people()
    assert "refused a client without an authorised key" in guarded.log()


def test_strangers_get_nothing(guarded, ring, folder):
    """Plain clients without a key or with one of nobody: no byte of an answer, while ann is served."""
    nobody = plain(guarded, timeout=2)
    unknown = plain(guarded, stranger(), keys.load_server_keys(ring).public, timeout=2)
    calls = [gevent.spawn(one.people) for one in (nobody, unknown)]
    with Client(guarded.endpoint, keys=folder / "ann.keys") as client:
        assert client.people()
    gevent.joinall(calls)
    assert [type(call.exception) for call in calls] == [zerorpc.TimeoutExpired] * 2
    for one in (nobody, unknown):
        one.close()
    assert "people" not in guarded.log()


def test_noise_does_no_harm(guarded, folder):
    """A hundred connections that say nothing, or nonsense."""
    port = int(guarded.endpoint.rpartition(":")[2])
    held = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(100)]
    for connection in held[::2]:
        connection.sendall(b"\xff" * 1000)
    with Client(guarded.endpoint, keys=folder / "ann.keys") as client:
        assert client.people()
    for connection in held:
        connection.close()


@pytest.mark.slow
def test_keys_change_with_a_reload(guarded, ring, folder, connect):
    """SIGHUP: bob may call, ann may not any longer, also over the connection that she has."""
    old = plain(guarded, (ann := keys.load_client_keys(folder / "ann.keys")).own, ann.server, timeout=2)
    assert old.people()
    keys.authorise_client(ring, "bob", folder / "bob.keys")
    keys.revoke_client(ring, "ann")
    guarded.signal(signal.SIGHUP)
    guarded.until_logged("keys: 1 clients (1 new, 1 removed)")
    with connect(guarded.endpoint, keys=folder / "bob.keys") as client:
        assert client.people()
    with pytest.raises(zerorpc.TimeoutExpired):
        old.people()
    old.close()
    with connect(guarded.endpoint, keys=folder / "ann.keys") as client, pytest.raises(Unreachable):
        client.people()


def test_a_damaged_key_file_is_refused_by_a_reload(guarded, ring, folder):
    """It is named in the log, and the old keys stay."""
    (ring / "clients/zoe.json").write_text('{"public": "short"}')
    guarded.signal(signal.SIGHUP)
    guarded.until_logged("zoe.json: public: must be 40 characters of Z85")
    with Client(guarded.endpoint, keys=folder / "ann.keys") as client:
        assert client.people()


def test_a_socket_needs_no_keys(launch, ring, call):
    """Its folder and mode say who may call: the Node client goes on as it is."""
    assert call(launch(keysPath=str(ring)), "people")


def test_files_of_keys_are_their_owners_alone(ring, folder):
    """0600 and 0700, and one that others can read is refused with the remedy."""
    for path in (ring, ring / "clients"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (ring / "server.json", ring / "clients/ann.json", folder / "ann.keys"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (ring / "server.json").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        auth.create_authenticator(address.parse_endpoint("tcp://127.0.0.1:1"), ring, insecure=False)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"public": 5, "secret": ""}',
        '{"public": "' + "~" * 40 + '", "secret": ""}',
        '{"public": "' + "#" * 40 + '", "secret": ""}',
        '{"public": "' + "0" * 40 + '", "secret": "' + "1" * 40 + '"}',
        "x" * 20_000,
    ],
)
def test_damaged_server_keys(ring, content):
    """A ConfigError on one line, which shows nothing of what is there."""
    (ring / "server.json").write_text(content)
    with pytest.raises(ConfigError, match=r"server\.json: ") as caught:
        keys.load_server_keys(ring)
    assert "\n" not in str(caught.value)
    assert "~~~" not in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "-x", "a\n", "ä", "x" * 65])
def test_names_of_clients(ring, name):
    """They become files: letters, digits, and little else."""
    with pytest.raises(BadName):
        keys.authorise_client(ring, name, ring / "own")
    with pytest.raises(BadName):
        keys.revoke_client(ring, name)


def test_nobody_is_revoked(ring):
    """The error says whose keys there are."""
    with pytest.raises(ConfigError, match=r"^zoe: no client has this name; those with a key: ann$"):
        keys.revoke_client(ring, "zoe")
    keys.revoke_client(ring, "ann")
    with pytest.raises(ConfigError, match=r"those with a key: none$"):
        keys.revoke_client(ring, "zoe")


def test_secrets_do_not_show():
    """Not even where somebody prints the object."""
    pair = stranger()
    assert pair.secret not in repr(keys.ClientKeys("server", pair))


def test_the_command(folder):
    """From nothing to a list of clients and back, with the exit codes of all commands."""
    config = folder / "config.json"
    config.write_text(json.dumps({"faceDetServer": {}}))

    def run(*args):
        return run_here("keys", *args, "--config", config, cwd=folder)

    command = [Path(sys.executable).with_name("face-det"), "keys", "add", "ann", "--config", config]
    assert subprocess.run(command, capture_output=True, check=False, cwd=folder).returncode == 78
    public = run("server").stdout.strip()
    assert keys.load_server_keys(folder / "keys").public == public
    assert run("server").returncode == 78
    assert run("add", "ann").stdout.strip() == str((folder / "ann.keys").resolve())
    assert run("add", "bob", "--public", stranger().public).returncode == 0
    assert run("add", "bob", "--public", stranger().public).returncode == 78
    assert run("add", "cid", "--public", "short").returncode == 78
    assert [one["name"] for one in json.loads(run("list", "--json").stdout)] == ["ann", "bob"]
    assert run("remove", "ann").returncode == 0
    assert run("remove", "ann").returncode == 78
    secret = json.loads((folder / "keys/server.json").read_text())["secret"]
    assert [line.split()[1] for line in run("list").stdout.splitlines()] == ["bob"]
    assert secret not in run("list").stdout
