"""Calls the daemon from programs that use asyncio, without zerorpc and gevent."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

import zmq
import zmq.asyncio

from face_det.rpc import address, connection, messages
from face_det.rpc.async_connection import Connection
from face_det.rpc.connection import PROBE_S, ConnectionSettings, GivenKeys
from face_det.rpc.messages import Message

LARGE_BYTES = 16 * 2**20
"""A larger request has a connection to itself: the daemon ends one that brings more than it takes, and
heartbeats of other calls would have to wait for it. Every daemon takes requests up to this size."""


class AsyncClient:
    """A connection to the daemon at `endpoint`, for any number of tasks; an asynchronous context manager.

    Each call raises the error that the daemon reports (Busy, BadRequest, ...), or Unreachable if nobody
    listens, the daemon rejects our keys, the connection is cut, or no reply comes within `timeout_s`. A
    task that waits for a call may be cancelled; the daemon then drops the call. After a fault, the next
    call connects again. `keys` is the file that `face-det keys add` wrote, for a daemon that is reached
    over tcp; an ipc endpoint needs none. Raises ConfigError if the endpoint or the file cannot be used.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        timeout_s: float = 30,
        heartbeat_s: float = 60,
        keys: GivenKeys = None,
    ) -> None:
        self._endpoint = address.parse_endpoint(endpoint)
        self._keys = connection.load_keys(keys)
        self._timeout_s = timeout_s
        self._heartbeat_s = heartbeat_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: zmq.asyncio.Context | None = None
        self._current: Connection | None = None
        self._connections: set[Connection] = set()
        self._connecting: asyncio.Task[Connection | str] | None = None

    @classmethod
    def configured(
        cls,
        config: ConnectionSettings,
        timeout_s: float,
        endpoint: str | None = None,
        keys: GivenKeys = None,
    ) -> AsyncClient:
        """Return a client for the configured daemon or, if `endpoint` is given, for the daemon there.

        Without `keys`, a configured daemon that listens on tcp is called with its own keys. Raises
        ConfigError if an endpoint or a key file cannot be used.
        """
        place, own = connection.choose_daemon(config, endpoint, keys)
        return cls(place, timeout_s=timeout_s, heartbeat_s=config.zerorpc_heart_beat / 1000, keys=own)

    def __str__(self) -> str:
        """Return the endpoint."""
        return str(self._endpoint)

    async def __aenter__(self) -> AsyncClient:
        """Return this client, which connects on the first call."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self.close()

    async def close(self) -> None:
        """Disconnect; calls that wait raise Unreachable, and the next call connects again."""
        tasks: list[asyncio.Task[Any]] = []
        if self._connecting is not None:
            self._connecting.cancel()
            tasks.append(self._connecting)
        for one in self._connections:
            one.close("this client was closed")
            tasks.extend(one.tasks)
        context, self._context = self._context, None
        self._loop = self._current = self._connecting = None
        self._connections = set()
        # A loop that has ended took its tasks along.
        await asyncio.gather(*(task for task in tasks if not task.done()), return_exceptions=True)
        if context is not None:
            context.destroy(linger=0)

    async def call(self, verb: str, *args: Any, timeout_s: float | None = None) -> Any:
        """Call a verb, such as "recognize", and return its answer; docs/reference/rpc.md lists them.

        `timeout_s` replaces the client's timeout for this call; it must be longer than the `wait_s` of
        "events". Raises TypeError or ValueError for arguments that msgpack cannot represent, and
        RuntimeError in another event loop than that of the first call.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not loop:
            raise RuntimeError("an AsyncClient belongs to the event loop of its first call; close it there")
        self._loop = loop
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        end = loop.time() + limit_s
        call_id, request = messages.pack_call(verb, args)
        large = len(request[-1]) > LARGE_BYTES
        reached = await (self._connect(limit_s) if large else self._connected(limit_s))
        if reached is None:
            reached = f"no reply to {verb} within {limit_s} s"
        if isinstance(reached, str):
            raise connection.unreachable(self._endpoint, reached)
        reached.retired |= large
        answer = await reached.ask(verb, call_id, request, max(0, end - loop.time()), limit_s)
        if isinstance(answer, str):
            hint = f" with {len(request[-1])} bytes, which may be more than it takes" if large else ""
            raise connection.unreachable(self._endpoint, answer + hint)
        return self._result(verb, answer)

    def _result(self, verb: str, answer: Message) -> Any:
        """Return what an answer holds, or raise the error that it reports."""
        if answer.name == messages.OK and answer.args:
            return answer.args[0]
        if answer.name == messages.ERR and len(answer.args) > 1:
            raise connection.local_error(str(answer.args[0]), str(answer.args[1]))
        raise connection.unreachable(self._endpoint, f"a reply to {verb} that a daemon does not send")

    async def _connected(self, limit_s: float) -> Connection | str | None:
        """Return the connection that calls share, the reason why there is none, or None after `limit_s`."""
        if self._current is not None:
            self._current.look()
            if not self._current.closed and not self._current.retired:
                return self._current
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.get_running_loop().create_task(self._connect(self._timeout_s))
            self._connecting.add_done_callback(self._keep)
        task = self._connecting
        # This neither cancels the others' task with ours nor at the end of our time.
        await asyncio.wait({task}, timeout=limit_s)
        if task.cancelled():
            return "this client was closed"
        return task.result() if task.done() else None

    def _keep(self, task: asyncio.Task[Connection | str]) -> None:
        if task is self._connecting and not task.cancelled():
            made = task.result()
            self._current = made if isinstance(made, Connection) else None

    async def _connect(self, limit_s: float) -> Connection | str:
        """Connect; return the reason if nobody listens or the daemon rejects our keys."""
        try:
            # zmq would keep retrying in silence.
            place = await _within(self._probe(), min(PROBE_S, limit_s))
            if self._context is None:
                self._context = zmq.asyncio.Context()
            made = Connection(self._context, place, self._keys, self._heartbeat_s)
        except OSError as error:
            return _reason(error)
        except zmq.ZMQError as error:
            return error.strerror
        self._connections = {one for one in self._connections if not one.closed} | {made}
        try:
            return await made.opened(min(PROBE_S, limit_s, 2 * self._heartbeat_s)) or made
        except asyncio.CancelledError:
            made.close("this client was closed")
            raise

    async def _probe(self) -> str:
        """Return the address that zmq is to connect to, or raise OSError at once if nobody listens there."""
        place, loop = self._endpoint, asyncio.get_running_loop()
        if place.path is None:
            transport, _ = await loop.create_connection(asyncio.Protocol, place.host, place.port)
            peer = transport.get_extra_info("peername")
            transport.close()
            if peer is None:
                raise ConnectionResetError(errno.ECONNRESET, "closed at once")
            return connection.tcp_address(peer)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            await loop.sock_connect(probe, os.fspath(place.path))
        return place.text


async def _within(work: Coroutine[Any, Any, str], limit_s: float) -> str:
    """Return what work returns, or raise TimeoutError.

    Before Python 3.12, asyncio.wait_for may lose a cancellation.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, also if nobody waits
    try:
        await asyncio.wait({task}, timeout=limit_s)
        if not task.done():
            raise TimeoutError("timed out")
        return task.result()
    finally:
        task.cancel()


def _reason(error: OSError) -> str:
    """Say why a connection failed; asyncio adds to the reason what its error already shows."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return " ".join((error.strerror or str(error)).split())
    return os.strerror(error.errno)
