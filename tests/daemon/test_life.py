"""Starting, stopping, reloading; one daemon for each endpoint."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys

import gevent
import pytest
import zerorpc
from running import eventually


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_whoever_is_connected(launch, call, gate, number):
    """The call in progress, the waiting one and one that comes meanwhile get their replies; then exit 0."""
    daemon = launch(workers=1)
    connected = daemon.client()
    assert connected.people()
    first = gevent.spawn(call, daemon, "detect_faces", list(gate.steps))
    gate.begun()
    second = gevent.spawn(call, daemon, "detect_faces", [])
    eventually(lambda: connected.status()["queue_depth"] == 1, "the second call to wait")
    daemon.signal(number)
    eventually(lambda: not daemon.socket_path.exists(), "the socket's name to go")
    assert connected.people()
    assert daemon.process.poll() is None
    gate.open()
    assert json.loads(first.get(timeout=300)) == list(gate.steps)
    assert second.get(timeout=300) == "[]"
    assert daemon.ended() == 0
    assert sorted(path.name for path in daemon.folder.iterdir()) == ["config.json", "log", "notify"]
    connected.close()


@pytest.mark.parametrize("transport", ["ipc", pytest.param("tcp", marks=pytest.mark.slow)])
def test_a_restart_loses_no_call(launch, free_port, transport):
    """Callers as ZoneMinder's alarm uploader: two calls a batch, a pause of 0.3 s, dead at any error."""
    endpoint = {"zerorpcPipe": f"tcp://127.0.0.1:{free_port}"} if transport == "tcp" else {}
    daemon = launch(workers=2, queueSize=100, **endpoint)
    told = {"restarts": 0}
    answered = [0, 0, 0]

    def upload(number):
        client = daemon.client(timeout=100)
        try:
            while told["restarts"] < 3 or answered[number] < told["enough"]:
                for _ in range(2):
                    assert json.loads(client.detect_faces([{"sleep": 0.05}])) == [{"sleep": 0.05}]
                    answered[number] += 1
                gevent.sleep(0.3)
        finally:
            client.close()

    uploaders = [gevent.spawn(upload, number) for number in range(len(answered))]
    current = daemon
    for _ in range(3):
        before = sum(answered)
        eventually(lambda before=before: sum(answered) >= before + 6, "some load")
        current.signal(signal.SIGTERM)
        assert current.ended() == 0
        current = launch(workers=2, queueSize=100, zerorpcPipe=daemon.endpoint)
        told["enough"] = max(answered) + 4
        told["restarts"] += 1
    gevent.joinall(uploaders, timeout=600, raise_error=True)
    assert all(uploader.successful() for uploader in uploaders)


def test_a_client_that_comes_while_it_stops_waits_for_the_next(launch, call, gate):
    """Nobody can connect any more; who tries to is answered by the next daemon, and nobody is refused."""
    daemon = launch(workers=1)
    first = gevent.spawn(call, daemon, "detect_faces", list(gate.steps))
    gate.begun()
    daemon.signal(signal.SIGTERM)
    eventually(lambda: not daemon.socket_path.exists(), "the socket's name to go")
    newcomer = gevent.spawn(call, daemon, "status")
    gate.open()
    assert json.loads(first.get(timeout=300)) == list(gate.steps)
    assert daemon.ended() == 0
    following = launch(workers=1, zerorpcPipe=daemon.endpoint, minProba=0.77)
    assert newcomer.get(timeout=300)["min"] == 0.77
    assert following.process.poll() is None


@pytest.mark.slow
def test_a_stop_under_load_loses_no_reply(launch):
    """16 callers that go on and on: each call is answered, by this daemon or the next, or refused by name."""
    daemon = launch(workers=2, queueSize=100, shutdownTimeout=1)
    outcomes, over = [], []

    def go_on():
        client = daemon.client(timeout=100)
        try:
            while not over:
                outcomes.append(client.detect_faces([{"sleep": 0.3}]))
        except zerorpc.RemoteError as error:
            outcomes.append(error.name)
        finally:
            client.close()

    callers = [gevent.spawn(go_on) for _ in range(16)]
    eventually(lambda: len(outcomes) > 30, "some load")
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
    launch(workers=2, queueSize=100, zerorpcPipe=daemon.endpoint)
    over.append(True)
    gevent.joinall(callers, timeout=600, raise_error=True)
    assert all(caller.successful() for caller in callers)
    assert set(outcomes) <= {"Busy", '[{"sleep": 0.3}]'}


def test_a_reply_is_delivered_to_a_slow_caller(launch, gate):
    """A caller that is held up while the daemon ends still gets its reply, of 50 MB, when it goes on."""
    code = (
        "import json, sys, zerorpc; client = zerorpc.Client(sys.argv[1], heartbeat=60)\n"
        "print(len(client.detect_faces(json.load(sys.stdin))))"
    )
    daemon = launch()
    command = [sys.executable, "-c", code, daemon.endpoint]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as caller:
        steps = [*gate.steps, {"note": "x" * 50_000_000}]
        caller.stdin.write(json.dumps(steps))
        caller.stdin.close()
        gate.begun()
        caller.send_signal(signal.SIGSTOP)
        gate.open()
        daemon.signal(signal.SIGTERM)
        daemon.until_logged("delivering the last replies")
        caller.send_signal(signal.SIGCONT)
        assert int(caller.stdout.read()) == len(json.dumps(steps))
    assert daemon.ended() == 0


def test_a_stop_waits_no_longer_than_it_may(launch, call, gate):
    """After shutdownTimeout a call that does not end is answered Busy, and the daemon ends without it."""
    daemon = launch(workers=1, shutdownTimeout=0.5)
    first = gevent.spawn(call, daemon, "detect_faces", list(gate.steps))
    gate.begun()
    daemon.signal(signal.SIGTERM)
    with pytest.raises(zerorpc.RemoteError, match="Busy: shutting down; try again"):
        first.get(timeout=300)
    assert daemon.ended() == 0
    assert "aborting 1 calls" in daemon.log()
    assert not daemon.socket_path.exists()


def test_a_second_signal_hurries(launch, call, gate):
    """Who sends SIGTERM twice does not wait for shutdownTimeout."""
    daemon = launch(workers=1, shutdownTimeout=3600)
    first = gevent.spawn(call, daemon, "detect_faces", list(gate.steps))
    gate.begun()
    daemon.signal(signal.SIGTERM)
    daemon.until_notified("STOPPING=1")
    daemon.signal(signal.SIGTERM)
    with pytest.raises(zerorpc.RemoteError, match="Busy"):
        first.get(timeout=300)
    assert daemon.ended() == 0


def test_a_stop_while_loading_is_heard(launch, folder):
    """Before it is ready, SIGTERM ends it just as well."""
    daemon = launch(ready=False, comment=f"wait_for {folder / 'never'}")
    eventually((folder / "never.waiting").exists, "the service to load")
    daemon.signal(signal.SIGTERM)
    assert daemon.ended() == 0
    assert not daemon.socket_path.exists()


def test_sighup_takes_a_good_configuration_and_refuses_a_bad_one(launch, call):
    """Good: in use from the next call. Bad, or with a model that does not fit: named, and nothing changes."""
    daemon = launch(minProba=0.5)
    daemon.configure(minProba=0.7)
    daemon.signal(signal.SIGHUP)
    daemon.until_notified("READY=1")
    assert call(daemon, "status")["min"] == 0.7
    daemon.configure(minProba=7, queueSzie=3)
    daemon.signal(signal.SIGHUP)
    daemon.until_notified("READY=1")
    daemon.until_logged("queueSzie")
    refused = [line for line in daemon.log().splitlines() if "reload refused" in line]
    assert [("minProba" in line, "queueSzie" in line) for line in refused] in (
        [(True, False), (False, True)],
        [(False, True), (True, False)],
    )
    daemon.configure(minProba=0.8, comment="unfit")
    daemon.signal(signal.SIGHUP)
    daemon.until_notified("READY=1")
    daemon.until_logged("stay in use: labels: must be 2, got 3")
    assert call(daemon, "status")["min"] == 0.7
    with pytest.raises(zerorpc.RemoteError, match="ModelMismatch: labels: must be 2, got 3"):
        call(daemon, "reload")
    daemon.configure(minProba=0.9)
    assert call(daemon, "reload")["changed"] == ["min_proba"]
    assert call(daemon, "status")["min"] == 0.9


def test_what_a_reload_cannot_change_is_named(launch, call):
    """A new endpoint waits for a restart: the log and reload() say so, and the old one goes on answering."""
    daemon = launch()
    daemon.configure(zerorpcPipe=f"ipc://{daemon.folder}/other", workers=3)
    assert call(daemon, "reload")["restart_needed"] == ["zerorpc_pipe", "workers"]
    assert "these settings take effect only after a restart: zerorpc_pipe, workers" in daemon.log()
    assert call(daemon, "status")["endpoint"] == daemon.endpoint
    assert not (daemon.folder / "other").exists()


def test_a_reload_waits_for_learning_and_not_the_other_way_round(launch, call, gate):
    """A service is not replaced half way through the old one's writing; all else is answered meanwhile."""
    daemon = launch(minProba=0.5)
    training = gevent.spawn(call, daemon, "train", {"steps": list(gate.steps)})
    gate.begun()
    daemon.configure(minProba=0.7)
    reloads = [gevent.spawn(call, daemon, "reload") for _ in range(4)]
    eventually(lambda: call(daemon, "status")["learning"] == {"running": 1, "queue_depth": 4}, "them to wait")
    assert call(daemon, "status")["min"] == 0.5
    assert call(daemon, "detect_faces", []) == "[]"
    assert not any(reload.ready() for reload in reloads)
    gate.open()
    assert training.get(timeout=300) == {"trained": True}
    gevent.joinall(reloads, timeout=300, raise_error=True)
    assert call(daemon, "status")["min"] == 0.7


def test_the_first_daemon_on_a_socket_lives_on(launch, call):
    """A second one on the same path is refused with the first one's pid, and takes nothing from it."""
    first = launch()
    second = launch(ready=False, zerorpcPipe=first.endpoint)
    assert second.ended() == 75
    expected = (
        f"{first.endpoint}: must be free, but a daemon is running (pid {first.process.pid}); stop it first"
    )
    assert f"AlreadyRunning: {expected}" in second.log()
    assert call(first, "people")


def test_the_first_daemon_on_a_port_lives_on(launch, call, free_port):
    """The same over tcp."""
    first = launch(zerorpcPipe=f"tcp://127.0.0.1:{free_port}")
    second = launch(ready=False, zerorpcPipe=first.endpoint)
    assert second.ended() == 75
    assert f"AlreadyRunning: {first.endpoint}: must be free" in second.log()
    assert call(first, "people")


def test_a_server_without_a_lock_is_not_pushed_aside(launch):
    """The original takes no lock: that somebody listens on the socket is enough."""
    code = "import sys, zerorpc; s = zerorpc.Server({}); s.bind(sys.argv[1]); print(flush=True); s.run()"
    old = launch()
    endpoint = f"ipc://{old.folder}/original"
    with subprocess.Popen([sys.executable, "-c", code, endpoint], stdout=subprocess.PIPE) as original:
        original.stdout.readline()
        second = launch(ready=False, zerorpcPipe=endpoint)
        assert second.ended() == 75
        assert f"a daemon is running (pid {original.pid})" in second.log()
        original.kill()


def test_a_killed_daemon_can_be_started_again(launch, call):
    """kill -9 leaves socket and lock behind; the next one on the path takes over."""
    first = launch()
    first.signal(signal.SIGKILL)
    first.ended()
    assert first.socket_path.exists()
    second = launch(zerorpcPipe=first.endpoint)
    assert call(second, "status")["pid"] == second.process.pid


def test_a_client_stays_connected_over_a_restart(launch):
    """The same client object is answered by the next daemon on the path."""
    first = launch()
    client = first.client()
    assert client.status()["pid"] == first.process.pid
    first.signal(signal.SIGTERM)
    assert first.ended() == 0
    second = launch(zerorpcPipe=first.endpoint)
    assert client.status()["pid"] == second.process.pid
    client.close()


def test_only_owner_and_group_may_call(launch):
    """The socket's mode is 0660 under any umask."""
    daemon = launch()
    assert stat.S_IMODE(daemon.socket_path.stat().st_mode) == 0o660


def test_ready_is_logged_with_the_endpoint(launch):
    """A script that waits for the daemon finds the word in its log."""
    daemon = launch()
    assert f" ready on {daemon.endpoint}: svm, 2 classes (pid {daemon.process.pid})" in daemon.log()


def test_the_log_level_is_the_configurations(launch, call):
    """warning: a call leaves no line; debug: status() does, too, also after a reload."""
    daemon = launch(logLevel="warning")
    call(daemon, "detect_faces", [])
    assert daemon.log() == ""
    daemon.configure(logLevel="debug")
    call(daemon, "reload")
    call(daemon, "status")
    assert "DEBUG face_det.daemon.methods status queue_ms=" in daemon.log()
