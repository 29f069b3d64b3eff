"""SecantusDB on a free port: a server that speaks MongoDB's protocol, run as a program and never imported."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pymongo
import pytest

PATIENCE_S = 300
PROGRAM = "secantusd-py"


def find_program():
    """The program beside this Python, or else on the PATH."""
    beside = Path(sys.executable).with_name(PROGRAM)
    return str(beside) if beside.is_file() else shutil.which(PROGRAM)


class MongoServer:
    """The server. What it stores stays in its folder, so it can be stopped and started again."""

    def __init__(self, folder, *flags):
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            self.port = chosen.getsockname()[1]
        self._folder, self._flags = folder, flags
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    @property
    def url(self):
        return f"mongodb://127.0.0.1:{self.port}"

    def start(self, *more):
        """Start it, and wait until it answers."""
        program = find_program()
        if program is None:
            pytest.skip("secantusdb is not installed")
        command = [program, "--port", str(self.port), "--storage-path", str(self._folder / "data")]
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--log-level", "WARNING", *self._flags, *more],
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )
        end = time.monotonic() + PATIENCE_S
        while not self._listens():
            assert self.process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < end, "the server does not listen"
            time.sleep(0.02)

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @contextlib.contextmanager
    def client(self):
        """A client of it, without a user."""
        with pymongo.MongoClient(self.url, serverSelectionTimeoutMS=PATIENCE_S * 1000) as client:
            yield client

    def shut_down(self):
        """End it as a service manager does: what it was told is on disk."""
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_S)

    def stop(self):
        """Kill it, if it still runs, as a machine that goes down does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=PATIENCE_S)


@contextlib.contextmanager
def running_mongo(folder, *flags):
    """A server that is stopped in the end."""
    server = MongoServer(folder, *flags)
    try:
        yield server
    finally:
        server.stop()
