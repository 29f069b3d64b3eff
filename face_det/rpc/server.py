"""The server's half of the zerorpc protocol, over pyzmq's gevent sockets.

zerorpc.Server itself is not used: it is unmaintained, one odd message (a `response_to` that is a
list) leaves it deaf for ever, it sends its tracebacks to callers, and it takes its own stalls for
the silence of its callers. Callers see no difference; the tests drive this with zerorpc's client.

Heartbeats. A caller gives up after twice *its* interval without one, and intervals differ from ours
where somebody forgot to set them (5 s is every client's default). So each heartbeat that arrives is
answered at once, besides those sent at our own interval; and a caller counts as lost after twice the
longer of our interval and the longest it has yet shown. One that never sent a heartbeat, or none
yet, is judged by its connection alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
import gevent.pool
import zmq.green as zmq

from face_det.errors import Busy, FaceDetError
from face_det.rpc import messages
from face_det.rpc.auth import Authenticator
from face_det.rpc.caller import CURRENT_CALLER, CURRENT_CLIENT, Caller, identify_caller
from face_det.rpc.messages import MalformedMessage, Message, MessageId

log = logging.getLogger(__name__)

Dispatch = Callable[[str, tuple[Any, ...]], Any]

PROBE_S = 5.0
"""At least this often each caller gets a heartbeat: it is how a closed connection shows."""
WARNING_INTERVAL_S = 10.0
"""At most this often a malformed message is logged."""
QUIET_S = 0.5
"""Before the end, so long nobody must have called: who gets a reply may well call again at once."""
MAX_ERROR_CHARS = 2000
"""Characters of an error's message that travel."""


@dataclass(eq=False)
class _Call:
    """A call in progress: where its reply goes, and when its caller last showed signs of life."""

    request: Message
    sender: Caller
    heard: float
    heartbeat_seen: bool = False
    longest_gap: float = 0.0
    greenlet: Any = field(default=None)


class RpcServer:
    """Answers each call in a greenlet of its own with `dispatch(name, args)`.

    A FaceDetError travels as class name and one-line message; anything else becomes InternalError,
    and its traceback goes to our log alone.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        *,
        heartbeat_s: float,
        max_message_bytes: int,
        guard: Authenticator | None = None,
    ) -> None:
        self._dispatch = dispatch
        self._heartbeat_s = heartbeat_s
        self._beat_s = min(heartbeat_s, PROBE_S)
        self._calls: dict[tuple[tuple[bytes, ...], MessageId], _Call] = {}
        self._answering = gevent.pool.Group()
        self._tasks = gevent.pool.Group()
        self._clock = 0.0
        self._ticked = time.monotonic()
        self._active = float("-inf")
        self._malformed = 0
        self._complained = float("-inf")
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.MAXMSGSIZE, max_message_bytes)
        # Without this a message to a caller that has gone is dropped without a word; and with a limit
        # on what may wait for a slow caller, its reply could be.
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        self._guard = guard
        if guard is not None:
            guard.protect(self._context, self._socket)

    def bind(self, address: str) -> None:
        """Listen on a zmq address; zmq.ZMQError if that is not possible."""
        self._socket.setsockopt(zmq.IPV6, int("[" in address))
        self._socket.bind(address)

    def start(self, on_crash: Callable[[], None]) -> None:
        """Begin to answer; `on_crash` is called if the loops that serve ever end by an error."""

        def crashed(task: gevent.Greenlet) -> None:
            log.critical("no longer able to serve", exc_info=task.exc_info)
            on_crash()

        guarding = (self._guard.answer,) if self._guard is not None else ()
        for loop in (self._receive, self._beat, *guarding):
            self._tasks.spawn(loop).link_exception(crashed)

    @property
    def calls(self) -> int:
        """How many calls are in progress."""
        return len(self._calls)

    def join(self) -> None:
        """Wait until no call is in progress, and nobody has begun another for a moment."""
        while self._calls or time.monotonic() - self._active < QUIET_S:
            gevent.sleep(QUIET_S / 4)
            self._answering.join()

    def cut_off(self, reason: str) -> None:
        """Answer the calls still in progress with Busy(reason)."""
        self._answering.kill(Busy(reason))

    def close(self, linger_s: float) -> None:
        """Deliver the replies that are still on their way, in `linger_s` at most, and close."""
        self._tasks.kill()
        if self._guard is not None:
            self._guard.close()
        self._socket.close(linger=int(linger_s * 1000))
        self._context.term()

    def _receive(self) -> None:
        while True:
            parts = self._socket.recv_multipart(copy=False)
            # One whose sender has lost its right to call is as good as empty.
            admitted = self._guard is None or self._guard.admits(parts[-1])
            try:
                message = messages.unpack_message([part.bytes for part in parts] if admitted else [])
            except MalformedMessage as fault:
                self._complain(fault)
            else:
                self._handle(message, parts[-1])
            del parts
            # A message that is already there is received without a switch: give way by hand, or a
            # caller that floods us keeps all others waiting.
            gevent.sleep(0)

    def _complain(self, fault: MalformedMessage) -> None:
        self._malformed += 1
        now = time.monotonic()
        if now - self._complained >= WARNING_INTERVAL_S:
            self._complained = now
            log.warning("dropped a malformed message (%d so far): %s", self._malformed, fault)

    def _handle(self, message: Message, payload: zmq.Frame) -> None:
        if message.response_to is not None:
            call = self._calls.get((message.route, message.response_to))
            if call is not None and message.name == messages.HEARTBEAT:
                now = self._now()
                call.longest_gap = max(call.longest_gap, now - call.heard)
                call.heard = now
                call.heartbeat_seen = True
                self._send(call, messages.HEARTBEAT, (0,))
            return
        key = (message.route, message.id)
        if key in self._calls:
            self._complain(MalformedMessage("message_id is in use"))
            return
        call = self._calls[key] = _Call(message, identify_caller(payload), heard=self._now())
        call.greenlet = self._answering.spawn(self._answer, call)
        call.greenlet.rawlink(lambda _: self._forget(key))

    def _forget(self, key: tuple[tuple[bytes, ...], MessageId]) -> None:
        del self._calls[key]
        self._active = time.monotonic()

    def _answer(self, call: _Call) -> None:
        request = call.request
        CURRENT_CLIENT.set(request.route)
        CURRENT_CALLER.set(call.sender)
        try:
            self._send(call, messages.OK, (self._dispatch(request.name, request.args),))
        except FaceDetError as error:
            self._send_error(call, type(error).__name__, str(error))
        except Exception as error:
            log.exception("%.40s failed", request.name)
            self._send_error(
                call, "InternalError", f"{type(error).__name__} inside the daemon; its log says more"
            )

    def _send_error(self, call: _Call, name: str, message: str) -> None:
        line = " ".join(message.splitlines())[:MAX_ERROR_CHARS].encode("utf-8", "replace").decode()
        # zerorpc's client prints the third part, its traceback, in place of the message if there is one.
        args = (name, line, None) if call.request.version >= 2 else (f"{name}: {line}",)
        self._send(call, messages.ERR, args)

    def _send(self, call: _Call, name: str, args: tuple[Any, ...]) -> bool:
        """Whether the caller is still connected."""
        frames = messages.pack_message(call.request.route, call.request.id, name, args)
        try:
            # Without NOBLOCK greenlets could switch between two frames of a message.
            self._socket.send_multipart(frames, flags=zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.debug("no way back to a caller: %s", error)
            return False
        return True

    def _now(self) -> float:
        """The clock by which callers are judged. It stands still while we do: what they send during
        a stall is there, and only has to be read yet."""
        return self._clock + min(time.monotonic() - self._ticked, self._beat_s)

    def _beat(self) -> None:
        """Send heartbeats, and give up callers that are gone."""
        while True:
            gevent.sleep(self._beat_s)
            self._clock, self._ticked = self._now(), time.monotonic()
            for call in list(self._calls.values()):
                if not self._send(call, messages.HEARTBEAT, (0,)) or self._silent(call):
                    call.greenlet.kill(block=False)

    def _silent(self, call: _Call) -> bool:
        patience = 2 * max(self._heartbeat_s, call.longest_gap)
        return call.heartbeat_seen and self._now() - call.heard > patience
