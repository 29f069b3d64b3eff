"""Limits for slow or hostile clients, on top of uvicorn's protocol.

uvicorn answers and keeps alive; this adds an end to whatever a client could make last for ever. Bodies are
watched by BodyLimit, which can answer them.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import get_remote_addr

from face_det.gateway.problems import RETRY_AFTER_S, problem_response
from face_det.gateway.security.headers import ALWAYS

_LOG = logging.getLogger(__name__)

MAX_CONNECTIONS = 200
"""Beyond it requests are answered 503; beyond twice as many, connections are cut off."""
MAX_PER_ADDRESS = 100
"""More from one address are cut off, so that nobody keeps others out. A proxy on this machine is exempt."""
MAX_HEAD_BYTES = 16_384
HEAD_S = 10.0
"""How long the head of a request may take to come, from the connection or from its first byte."""
KEEP_ALIVE_S = 75
"""How long a connection stays open for the next request: longer than clients and proxies keep theirs;
nginx has the longest, a minute. Whoever used one at the moment that we closed it would get no answer."""
LINGER_S = 5.0
LINGER_BYTES = 1_000_000
"""How much longer, and how much more, a client may send of a body that was answered before its end."""
USER_TIMEOUT_S = 60
"""How long a client may take no byte of an answer."""


class CrowdLimit:
    """Middleware that answers 503 while `count` connections, the asking one among them, are too many.

    uvicorn has a limit of its own, whose answer is neither in our shape nor says when to come again.
    """

    def __init__(self, app: ASGIApp, count: Callable[[], int], most: int) -> None:
        self._app = app
        self._count = count
        self._most = most
        self._crowded = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it."""
        if scope["type"] != "http" or self._count() < self._most:
            self._crowded = False
            await self._app(scope, receive, send)
            return
        if not self._crowded:
            # Once, not for each of a flood.
            _LOG.warning("%s connections at once: requests are answered 503", self._count())
        self._crowded = True
        headers = {**ALWAYS, "Retry-After": str(RETRY_AFTER_S), "Connection": "close"}
        detail = "too many connections at once; try again in a moment"
        await problem_response(503, "TooManyConnections", detail, headers)(scope, receive, send)


class _LingeringTransport:
    """A transport that closes gently while the client is still sending.

    A socket that is closed with unread bytes in it resets the connection, and the client may then never
    see the answer that was sent just before. So only our half is closed at first.
    """

    def __init__(self, transport: asyncio.Transport, is_sending: Callable[[], bool]) -> None:
        self._transport = transport
        self._is_sending = is_sending
        self.lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        if self.lingers or not self._is_sending():
            self._transport.close()
            return
        self.lingers = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()


class PatientProtocol(H11Protocol):
    """A connection that ends when its client takes too long or sends too much."""

    _head_timer: asyncio.TimerHandle | None = None
    _rest_timer: asyncio.TimerHandle | None = None
    _rest_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for a request, unless there are too many connections."""
        if len(self.connections) >= 2 * MAX_CONNECTIONS or self._has_too_many(transport):
            self.transport = transport
            transport.abort()
            return
        self._real_transport = transport
        _prepare_socket(transport)
        lingering = _LingeringTransport(transport, self._is_client_sending)
        super().connection_made(lingering)  # type: ignore[arg-type]
        self._head_timer = self.loop.call_later(HEAD_S, transport.close)

    def _has_too_many(self, transport: asyncio.Transport) -> bool:
        """Tell whether this connection's address has its share already."""
        address = get_remote_addr(transport)
        if address is None or _is_this_machine(address[0]):
            return False
        return sum(_client_of(one) == address[0] for one in self.connections) >= MAX_PER_ADDRESS

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on, except the rest of a body that has been answered already."""
        if self._rest_timer is not None:
            self._rest_bytes += len(data)
            if self._rest_bytes > LINGER_BYTES:
                self._real_transport.abort()
                return
        if self.transport.lingers:  # type: ignore[attr-defined]
            return
        # An error after the answer has begun leaves no way to report it.
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            self._real_transport.close()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request in the shape of our errors."""
        del msg
        detail = f"this must be a request of HTTP/1.1, whose head has at most {MAX_HEAD_BYTES} bytes"
        answer = problem_response(400, "BadRequest", detail, {**ALWAYS, "Connection": "close"})
        parts = (
            h11.Response(status_code=400, headers=answer.raw_headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        )
        for part in parts:
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of this one."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._head_timer = _cancel(self._head_timer)
        self._rest_timer = _cancel(self._rest_timer)
        super().connection_lost(exc)

    def _is_client_sending(self) -> bool:
        return self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    def _watch(self) -> None:
        """Start and stop the clocks, by what is being waited for."""
        if self.conn.their_state is not h11.IDLE:
            self._head_timer = _cancel(self._head_timer)
        elif self._head_timer is None and self.conn.trailing_data[0]:
            self._head_timer = self.loop.call_later(HEAD_S, self._real_transport.close)
        answered = self.cycle is not None and self.cycle.response_complete
        if not ((answered or self.transport.is_closing()) and self._is_client_sending()):
            self._rest_timer, self._rest_bytes = _cancel(self._rest_timer), 0
        elif self._rest_timer is None:
            self._rest_timer = self.loop.call_later(LINGER_S, self._real_transport.close)


def _cancel(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None


def _is_this_machine(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _client_of(connection: Any) -> str | None:
    client = getattr(connection, "client", None)
    return client and str(client[0])


def _prepare_socket(transport: asyncio.Transport) -> None:
    """Send each part of an answer at once, and let the kernel close the connection of a client that is gone.

    Without TCP_NODELAY, which asyncio sets only where the listening socket names its protocol, the body of an
    answer waits 40 ms for the client to acknowledge the head. TCP_USER_TIMEOUT ends a connection whose client
    reads nothing.
    """
    options = {"TCP_NODELAY": 1, "TCP_USER_TIMEOUT": USER_TIMEOUT_S * 1000}
    for name, value in options.items():
        option = getattr(socket, name, None)
        if option is not None:
            with contextlib.suppress(OSError, AttributeError):
                transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, option, value)
