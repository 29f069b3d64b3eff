"""A daemon as a separate process, seen from outside."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import gevent
import gevent.socket
import zerorpc
from forked import Forked

PATIENCE_S = 300


def eventually(condition, what="it", patience_s=PATIENCE_S):
    """Wait, in a way that lets other greenlets run, until condition() is true; its value."""
    end = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {patience_s} s for {what}"
        gevent.sleep(0.01)
    return value


class Daemon:
    """A daemon's process, its log, and what it says to systemd (here: to us)."""

    def __init__(self, folder, argv, settings, environ):
        self.folder = folder
        self.endpoint = settings.get("zerorpcPipe", f"ipc://{folder}/s")
        self.config = folder / "config.json"
        self.configure(**settings)
        self.log_path = folder / "log"
        self.notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notifications.bind(str(folder / "notify"))
        self._argv = argv
        self._environ = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), **environ}
        self.start()

    def start(self):
        """Start the process; again, if the one before has ended."""
        argv = [os.fspath(part) for part in self._argv(self.config)]
        begin = Forked if argv[0] == sys.executable else subprocess.Popen
        with self.log_path.open("ab") as log:
            self.process = begin(argv, stderr=log, env=self._environ)

    def configure(self, **settings):
        """Write config.json."""
        settings = {"zerorpcPipe": self.endpoint, **settings}
        self.config.write_text(json.dumps({"faceDetServer": settings}))

    @property
    def socket_path(self):
        return Path(self.endpoint.removeprefix("ipc://"))

    def notification(self):
        """The next one, as its lines; other greenlets run meanwhile."""
        gevent.socket.wait_read(self.notifications.fileno(), timeout=PATIENCE_S)
        return self.notifications.recv(65536).decode().splitlines()

    def until_notified(self, line):
        """Notifications up to the one with this line."""
        seen = []
        while not seen or line not in seen[-1]:
            seen.append(self.notification())
        return seen

    def log(self):
        return self.log_path.read_text()

    def until_logged(self, text):
        eventually(lambda: text in self.log(), f"{text!r} in the log")

    def client(self, **options):
        """zerorpc's own client."""
        client = zerorpc.Client(**{"timeout": PATIENCE_S, "heartbeat": 60, **options})
        client.connect(self.endpoint)
        return client

    def signal(self, number):
        self.process.send_signal(number)

    def ended(self):
        """The exit status, once there is one."""
        eventually(lambda: self.process.poll() is not None, "the daemon's end")
        return self.process.returncode

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.notifications.close()
