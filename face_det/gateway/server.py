"""Runs the gateway in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

import uvicorn
import uvicorn.config
from starlette.types import ASGIApp

from face_det.config import Config, Http
from face_det.errors import CannotListen, ConfigError
from face_det.gateway.app import create_app
from face_det.gateway.security.connections import (
    HEAD_S,
    KEEP_ALIVE_S,
    MAX_CONNECTIONS,
    MAX_HEAD_BYTES,
    CrowdLimit,
    PatientProtocol,
)
from face_det.gateway.security.credentials import load_credentials
from face_det.gateway.security.hosts import is_loopback
from face_det.gateway.security.tls import TlsFiles
from face_det.gateway.turns import DaemonInTurns
from face_det.logs import configure_logging
from face_det.rpc import AsyncClient
from face_det.systemd import Notifier

_LOG = logging.getLogger(__name__)

CALL_TIMEOUT_S = 120.0
"""Longer than any call but training needs; routes that wait longer say so."""

GRACE_S = 3
"""How long open streams, such as those of events, may go on when the gateway is stopped."""

RENEWAL_TICKS = 100
"""A renewed certificate is looked for every 10 s, each of a hundred ticks."""


class GatewayServer(uvicorn.Server):
    """Serves an app on a socket that listens; SIGTERM and SIGINT are a normal end.

    It takes uvicorn's settings, of which those about connections and TLS are decided here.
    """

    def __init__(self, app: ASGIApp, tls: TlsFiles | None = None, grace_s: int = GRACE_S) -> None:
        super().__init__(
            uvicorn.Config(
                CrowdLimit(app, self._count_connections, MAX_CONNECTIONS),
                # Not whichever parser is installed: this one's behaviour is tested.
                http=PatientProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=grace_s,
            )
        )
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen as uvicorn does, except that a TLS handshake must be quick as well; then say so."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(uvicorn.config.STARTUP_FAILURE)
        loop = asyncio.get_running_loop()
        context = self._tls.context if self._tls is not None else None
        self.servers = [
            await loop.create_server(
                self._create_protocol,
                sock=listener,
                ssl=context,
                ssl_handshake_timeout=HEAD_S if context is not None else None,
                backlog=self.config.backlog,
            )
            for listener in sockets or []
        ]
        self.started = True
        Notifier(os.environ).ready("serving the page and the routes")
        _LOG.info("ready")

    def _count_connections(self) -> int:
        return len(self.server_state.connections)

    def _create_protocol(self) -> PatientProtocol:
        return PatientProtocol(self.config, self.server_state, self.lifespan.state)

    async def on_tick(self, counter: int) -> bool:
        """Do what uvicorn does ten times a second, and look for a renewed certificate now and then."""
        if self._tls is not None and counter % RENEWAL_TICKS == 0:
            self._tls.refresh()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at the signals, without raising them again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
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

    Raises ConfigError if others could reach it and nobody needed a password, or if the certificate cannot
    be used, and CannotListen if the address cannot be used.
    """
    configure_logging(config.log_level)
    http = config.http
    require_credentials(http)
    tls = TlsFiles(http.tls_certificate, http.tls_key) if http.tls_certificate and http.tls_key else None
    listener = _listen(http.host, http.port)
    host, port = listener.getsockname()[:2]
    scheme = "http" if tls is None else "https"
    _LOG.info("the page is at %s://%s:%s/", scheme, f"[{host}]" if ":" in host else host, port)
    asyncio.run(_serve(config, listener, tls))


def require_credentials(http: Http) -> None:
    """Raise ConfigError if other machines can reach the gateway and there is nobody whom it would let in."""
    if is_loopback(http.host) or http.ingress_address:
        return
    if not load_credentials(http.credentials_path):
        raise ConfigError(
            [
                f"http.host {http.host}: other machines could reach the page, but "
                f"{http.credentials_path} has no password and no token; run `face-det web password` or "
                "`face-det web tokens add NAME`, or set http.host to 127.0.0.1"
            ]
        )


async def _serve(config: Config, listener: socket.socket, tls: TlsFiles | None) -> None:
    daemon = DaemonInTurns(lambda: AsyncClient.configured(config, CALL_TIMEOUT_S))
    async with contextlib.aclosing(daemon):
        await GatewayServer(create_app(config, daemon), tls).serve([listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise CannotListen(
            f"http.host {host}, http.port {port}: must be a free address of this machine, got: "
            f"{error.strerror or error}; stop what listens there, or choose another port"
        ) from error
