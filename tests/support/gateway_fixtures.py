"""A gateway as a separate process, in front of a real daemon, asked over real sockets."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from pathlib import Path

import httpx
from forked import Forked
from running import eventually

WEB = (sys.executable, "-m", "face_det.cli.main", "web", "--config")
PATIENCE_S = 120


class Gateway:
    """A gateway's process, its log, and a client for it."""

    def __init__(self, folder: Path, endpoint: str, **settings):
        self.config = folder / "web.json"
        http = {"port": 0, **settings.pop("http", {})}
        settings = {"zerorpcPipe": endpoint, "http": http, **settings}
        self.config.write_text(json.dumps({"faceDetServer": settings}))
        self.log_path = folder / "web.log"
        with self.log_path.open("ab") as log:
            self.process = Forked([*WEB, self.config], stderr=log)

    @property
    def log(self):
        return self.log_path.read_text("utf-8")

    def until_ready(self):
        """Wait for it to answer; the client to ask it with."""
        eventually(lambda: " ready\n" in self.log or self.process.poll() is not None, "the gateway")
        assert self.process.poll() is None, self.log
        (address,) = re.findall(r"the page is at (\S+)/\n", self.log)
        # As tests ask it from many threads, no connection is closed for being one too many or too old:
        # httpcore would close one that another thread has just been given.
        keep = httpx.Limits(max_connections=100, max_keepalive_connections=None, keepalive_expiry=60)
        return httpx.Client(base_url=address, timeout=PATIENCE_S, limits=keep)

    def stop(self):
        """End it, however it is; its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=PATIENCE_S)
        finally:
            self.process.kill()


@contextlib.contextmanager
def lasting_gateway(folder: Path, endpoint: str, **settings):
    """A gateway that answers: a client for it, with the gateway as its `gateway`."""
    gateway = Gateway(folder, endpoint, **settings)
    try:
        with gateway.until_ready() as client:
            client.gateway = gateway
            yield client
    finally:
        gateway.stop()
