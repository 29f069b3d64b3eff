"""A gateway that serves on a real socket, in a thread, in front of a daemon that answers at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
import threading

import argon2
import httpx
import pytest

from face_det.config import load_config
from face_det.gateway.app import create_app
from face_det.gateway.server import GatewayServer
from face_det.gateway.turns import CURRENT_USER

PASSWORD = "correct horse battery"
PATIENCE_S = 60


class StandIn:
    """What the gateway sees of the daemon; its answers are the daemon's business."""

    def __init__(self):
        self.calls = []
        self.users = []

    async def call(self, verb, *args, timeout_s=None):
        self.calls.append((verb, *args))
        self.users.append(CURRENT_USER.get())
        if verb == "picture":
            raise RuntimeError("a fault that nobody expected")
        return {"people": [], "status": {"pid": 1}, "thumbnail": b"jpeg"}.get(verb, {})


class Served:
    """A gateway that runs: its app, its port, and ways to reach it."""

    def __init__(self, app, daemon, port, tls):
        self.app, self.daemon, self.port = app, daemon, port
        self.scheme = "https" if tls is not None else "http"
        self.origin = f"{self.scheme}://127.0.0.1:{port}"

    def client(self, **settings):
        """Say nothing that a browser would say."""
        return httpx.Client(base_url=self.origin, timeout=PATIENCE_S, trust_env=False, **settings)

    def connect(self):
        """Connect without saying anything."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def exchange(self, data):
        """Send bytes; return all that comes until the gateway closes the connection."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            return read_all(connection)


def read_all(connection):
    """Return what comes until the other end closes, whichever way it does."""
    received = b""
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        while part := connection.recv(65536):
            received += part
    return received


@pytest.fixture(scope="session")
def password_file(tmp_path_factory):
    """A credentials file with PASSWORD, hashed cheaply, because each login takes as long."""
    path = tmp_path_factory.mktemp("credentials") / "web-credentials.json"
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    path.write_text(json.dumps({"password": hashed, "tokens": []}))
    path.chmod(0o600)
    return path


@pytest.fixture
def credentials_path(tmp_path):
    """Where the gateway of this test keeps its credentials; there are none yet."""
    return tmp_path / "web-credentials.json"


@pytest.fixture
def with_password(password_file, credentials_path):
    """PASSWORD is the page's password."""
    shutil.copy(password_file, credentials_path)
    return credentials_path


@pytest.fixture
def http_config(tmp_path):
    """http_config(allowedHosts=[...]): the settings of a folder, with these in `http`."""

    def configure(**http):
        config = load_config(None, {})
        context = {"base": tmp_path}
        return type(config).model_validate(
            {"datasetPath": str(tmp_path / "dataset"), "http": http}, context=context
        )

    return configure


@pytest.fixture
def serving(http_config):
    """serving(legacyGet=True, ...): a gateway with these settings, until the test ends."""
    with contextlib.ExitStack() as stack:

        def serve(tls=None, prepare=None, **http):
            daemon = StandIn()
            app = create_app(http_config(**http), daemon)
            if prepare is not None:
                prepare(app)
            return stack.enter_context(_serve(app, daemon, tls))

        yield serve


@contextlib.contextmanager
def _serve(app, daemon, tls):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = GatewayServer(app, tls, grace_s=1)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        yield Served(app, daemon, port, tls)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@pytest.fixture
def gateway(serving):
    """A gateway on loopback with the default settings."""
    return serving()


@pytest.fixture
def beyond(serving, credentials_path):
    """A gateway as it is for other machines; only its socket is on loopback."""
    return serving(host="0.0.0.0")
