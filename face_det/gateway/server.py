"""Runs the gateway in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator

import uvicorn

from face_det.config import Config, Http
from face_det.errors import CannotListen
from face_det.gateway.app import create_app
from face_det.logs import configure_logging
from face_det.rpc import AsyncClient
from face_det.systemd import Notifier

_LOG = logging.getLogger(__name__)

CALL_TIMEOUT_S = 120.0
"""Longer than any call but training needs; routes that wait longer say so."""

GRACE_S = 3
"""How long open streams, such as those of events, may go on when the gateway is stopped."""


class _Server(uvicorn.Server):
    """A server that says when it listens, and for which SIGTERM and SIGINT are a normal end."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        Notifier(os.environ).ready("serving the page and the routes")
        _LOG.info("ready")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def run_gateway(config: Config) -> None:
    """Serve the page and the routes until SIGTERM or SIGINT.

    Raises CannotListen if the address cannot be used.
    """
    configure_logging(config.log_level)
    http = config.http or Http()
    listener = _listen(http.host, http.port)
    host, port = listener.getsockname()[:2]
    scheme = "https" if http.tls_certificate else "http"
    _LOG.info("the page is at %s://%s:%s/", scheme, f"[{host}]" if ":" in host else host, port)
    asyncio.run(_serve(config, http, listener))


async def _serve(config: Config, http: Http, listener: socket.socket) -> None:
    async with AsyncClient.configured(config, CALL_TIMEOUT_S) as daemon:
        settings = uvicorn.Config(
            create_app(config, daemon),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=http.tls_certificate,
            ssl_keyfile=http.tls_key,
        )
        await _Server(settings).serve([listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise CannotListen(
            f"http.host {host}, http.port {port}: must be a free address of this machine, got: "
            f"{error.strerror or error}; stop what listens there, or choose another port"
        ) from error
