"""What systemd is told, received on a real datagram socket."""

from __future__ import annotations

import os
import select
import signal
import socket
import time

import gevent
import pytest

from face_det.systemd.notify import Notifier


def test_notifications_come_in_order(launch):
    """Ready, reloading and ready again, stopping: each with a line for `systemctl status`."""
    daemon = launch(ready=False)
    assert daemon.notification() == ["READY=1", f"STATUS=ready on {daemon.endpoint}: svm, 2 classes"]
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.signal(signal.SIGHUP)
    reloading, since, status = daemon.notification()
    assert (reloading, status) == ("RELOADING=1", "STATUS=reloading")
    assert (
        before
        <= int(since.removeprefix("MONOTONIC_USEC="))
        <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    )
    assert daemon.notification()[0] == "READY=1"
    daemon.signal(signal.SIGTERM)
    assert daemon.notification() == ["STOPPING=1", "STATUS=finishing 0 calls"]
    assert daemon.ended() == 0


def test_a_refused_reload_ends_too(launch):
    """systemd waits for READY=1 after RELOADING=1: it comes, whatever became of the reload."""
    daemon = launch()
    daemon.configure(minProba="high")
    daemon.signal(signal.SIGHUP)
    assert [daemon.notification()[0] for _ in range(2)] == ["RELOADING=1", "READY=1"]


@pytest.mark.slow
def test_the_watchdog_is_pinged_until_a_worker_is_stuck(launch, call, gate):
    """A call beyond its limit stops the pings, though the hub still answers; when it ends they go on."""
    daemon = launch(environ={"WATCHDOG_USEC": "200000"}, args=["0.5"], workers=2)
    daemon.until_notified("WATCHDOG=1")
    ordinary = gevent.spawn(call, daemon, "train", {"steps": [{"sleep": 1.5}]})
    ordinary.get(timeout=300)
    assert "no more notifications" not in daemon.log()
    stuck = gevent.spawn(call, daemon, "add_face", list(gate.steps), b"")
    gate.begun()
    daemon.until_logged("has been busy with one call for")
    _drain(daemon)
    gevent.sleep(1)
    assert _drain(daemon) == []
    assert call(daemon, "people")
    gate.open()
    stuck.get(timeout=300)
    daemon.until_notified("WATCHDOG=1")


def test_no_watchdog_that_is_not_ours():
    """WATCHDOG_PID of another process: its variables were merely inherited."""
    assert (
        Notifier({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog_s is None
    )
    ours = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    assert Notifier(ours).watchdog_s == 30
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog_s is None


def test_a_name_in_the_abstract_namespace():
    """NOTIFY_SOCKET=@name, as in containers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0face-det-test-{os.getpid()}")
        systemd.settimeout(10)
        Notifier({"NOTIFY_SOCKET": f"@face-det-test-{os.getpid()}"}).status("fine")
        assert systemd.recv(100) == b"STATUS=fine"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}])
def test_without_systemd_nothing_is_said(environ):
    """No socket, or one that has gone, is no error."""
    Notifier(environ).ready("fine")


def _drain(daemon):
    """What has arrived until now."""
    seen = []
    while select.select([daemon.notifications], [], [], 0)[0]:
        seen.append(daemon.notification())
    return seen
