"""The server's half of the zerorpc protocol, over pyzmq's gevent sockets.

We do not use zerorpc.Server. It is unmaintained, one odd message (a `response_to` that is a list)
leaves it deaf for ever, it sends its tracebacks to callers, and it mistakes its own stalls for silence
from its callers. Callers notice no difference; the tests use zerorpc's client.

Heartbeats: a caller gives up after twice *its* interval without one, and its interval differs from ours
if nobody set it (the default of every client is 5 s). We therefore answer each heartbeat at once, on top
of those that we send at our own interval. A caller counts as lost after twice the longer of our interval
and the longest gap it has shown so far. One that has not sent a heartbeat yet is judged by its connection
alone. A caller that keeps its connection for other calls says with CANCEL that it gives one up.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
import zmq.green as zmq
from gevent.pool import Group

from face_det.errors import Busy, FaceDetError
from face_det.rpc import messages
from face_det.rpc.auth import Authenticator
from face_det.rpc.caller import CURRENT_CALLER, CURRENT_CLIENT, Caller
from face_det.rpc.kernel_sockets import KernelSockets
from face_det.rpc.messages import MalformedMessage, Message, MessageId

log = logging.getLogger(__name__)

Dispatch = Callable[[str, tuple[Any, ...]], Any]

PROBE_S = 5.0
"""Each caller gets a heartbeat at least this often, which is how we notice a closed connection."""
WARNING_INTERVAL_S = 10.0
"""Malformed messages are logged at most this often."""
QUIET_S = 2.0
"""Before stopping, no call may have come in for this long. A caller that pauses for less, as ZoneMinder's
alarm uploader does, calls once more, and its connection ends with the reply."""
PATIENCE_S = 6.0
"""It may never be quiet: a reply cannot end a connection with keys, or one with several calls at a time."""
GAP_S = 0.1
"""The silence that will do if nobody is connected, or after PATIENCE_S; half of it each second later."""
GAP_PER_LAG = 4.0
"""On a busy machine it has to be quiet for so much longer, times how late we wake up: our callers do, too."""
NAP_S = 0.01
UNSENT_S = 1.0
"""What was sent so recently may still wait for ZeroMQ's thread."""
MAX_ERROR_CHARS = 2000
"""The most characters of an error message that are sent."""
_LOCAL = re.compile(r"localhost:(\d+):\d+:\d+")
"""How ZeroMQ writes the peer of a Unix socket: user, group and process."""


@dataclass(eq=False)
class _Call:
    """A call in progress: where its reply goes, and when its caller last showed signs of life (seconds)."""

    request: Message
    sender: Caller
    heard: float
    heartbeat_seen: bool = False
    longest_gap: float = 0.0
    beaten: float = float("-inf")
    """When a heartbeat was sent last."""
    greenlet: Any = field(default=None)


@dataclass
class _Peer:
    """A connection with calls in progress: how many, and whether there was more than one at a time."""

    calls: int = 0
    overlapping: bool = False


class RpcServer:
    """Answers each call with `dispatch(name, args)`, in a separate greenlet.

    A FaceDetError is sent as class name and one-line message. Any other exception becomes
    InternalError, and its traceback goes only to our log.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        *,
        heartbeat_s: float,
        max_message_bytes: int,
        authenticator: Authenticator | None = None,
    ) -> None:
        self._dispatch = dispatch
        self._heartbeat_s = heartbeat_s
        self._beat_s = min(heartbeat_s, PROBE_S)
        self._calls: dict[tuple[tuple[bytes, ...], MessageId], _Call] = {}
        self._answering = Group()
        self._tasks = Group()
        self._clock = 0.0
        self._ticked = time.monotonic()
        self._active = float("-inf")
        self._malformed = 0
        self._complained = float("-inf")
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.MAXMSGSIZE, max_message_bytes)
        # Without ROUTER_MANDATORY, a message to a caller that is gone would be dropped silently; with a
        # high-water mark, so could the reply to a slow caller.
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        self._sockets = KernelSockets()
        self._parting = False
        self._peers: dict[bytes, _Peer] = {}
        self._authenticator = authenticator
        if authenticator is not None:
            authenticator.protect(self._context, self._socket)

    def bind(self, address: str) -> None:
        """Listen on a zmq address; raise zmq.ZMQError if that is not possible."""
        self._socket.setsockopt(zmq.IPV6, int("[" in address))
        self._socket.bind(address)

    def start(self, on_crash: Callable[[], None]) -> None:
        """Start answering; `on_crash` is called if one of the serving loops ends with an error."""

        def crashed(task: gevent.Greenlet) -> None:
            log.critical("can no longer serve", exc_info=task.exc_info)
            on_crash()

        authenticating = (self._authenticator.answer,) if self._authenticator is not None else ()
        for loop in (self._receive, self._beat, *authenticating):
            self._tasks.spawn(loop).link_exception(crashed)

    @property
    def calls(self) -> int:
        """The number of calls in progress."""
        return len(self._calls)

    def join(self) -> None:
        """Part with the callers: wait until no call is in progress and none has come in for a moment.

        Nobody else can connect over tcp any more; a socket's name is removed by `hide_endpoint`. From now on
        a reply and the end of its connection are one where possible, so that the caller keeps its next call
        for the next daemon. Whatever is sent while a connection ends is lost.
        """
        self._parting, begun, lag_s = True, time.monotonic(), 0.0
        self._sockets.admit_nobody()
        while not self._is_quiet(self._silence_s(time.monotonic() - begun, lag_s)):
            asleep = time.monotonic()
            gevent.sleep(NAP_S)
            lag_s = max(lag_s / 2, time.monotonic() - asleep - NAP_S)
            self._answering.join()

    def _silence_s(self, parting_s: float, lag_s: float) -> float:
        """Return for how long no call may have come in, after that many seconds of parting."""
        if parting_s < PATIENCE_S and self._sockets.any_open():
            return QUIET_S
        return (GAP_S + GAP_PER_LAG * lag_s) / 2 ** max(0.0, parting_s - PATIENCE_S)

    def _is_quiet(self, seconds: float) -> bool:
        quiet = not self._calls and time.monotonic() - self._active >= seconds
        return quiet and not self._sockets.hold_requests() and not self._has_messages()

    def _has_messages(self) -> bool:
        # Not `getsockopt`, which takes the news of a message from the loop that waits for it.
        return bool(int(self._socket.get(zmq.EVENTS)) & zmq.POLLIN)

    def cut_off(self, reason: str) -> None:
        """Answer the calls still in progress with Busy(reason)."""
        self._answering.kill(Busy(reason))

    def close(self, linger_s: float) -> None:
        """Deliver outstanding replies within `linger_s` seconds and close."""
        if self._socket.closed:
            return
        # Nothing may run between the last look for a call (`join`) and this: whatever arrives is lost.
        self._tasks.kill(block=False)
        self._socket.close(linger=int(linger_s * 1000))
        log.info("all calls are answered; delivering the last replies")
        if self._authenticator is not None:
            self._authenticator.close()
        self._context.term()

    def _receive(self) -> None:
        while True:
            parts = self._socket.recv_multipart(copy=False)
            self._sockets.note(parts[0].bytes, parts[-1])
            # Treat a message from a client that has lost its authorisation as empty.
            admitted = self._authenticator is None or self._authenticator.admits(parts[-1])
            try:
                message = messages.unpack_message([part.bytes for part in parts] if admitted else [])
            except MalformedMessage as fault:
                self._complain(fault)
            else:
                self._handle(message, parts[-1])
            del parts
            # Receiving a message that is already there does not switch greenlets. Yield explicitly, or a
            # caller that floods us would keep all others waiting.
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
            if call is not None and message.name == messages.CANCEL:
                call.greenlet.kill(block=False)
            elif call is not None and message.name == messages.HEARTBEAT:
                now = self._now()
                call.longest_gap = max(call.longest_gap, now - call.heard)
                call.heard = now
                call.heartbeat_seen = True
                self._send_heartbeat(call)
            return
        key = (message.route, message.id)
        if key in self._calls:
            self._complain(MalformedMessage("message_id is already in use"))
            return
        call = self._calls[key] = _Call(message, _identify_caller(payload), heard=self._now())
        peer = self._peers.setdefault(message.route[0], _Peer())
        peer.calls += 1
        peer.overlapping |= peer.calls > 1
        call.greenlet = self._answering.spawn(self._answer, call)
        call.greenlet.rawlink(lambda _: self._forget(key))

    def _forget(self, key: tuple[tuple[bytes, ...], MessageId]) -> None:
        del self._calls[key]
        self._active = time.monotonic()
        peer = self._peers[key[0][0]]
        peer.calls -= 1
        if not peer.calls:
            del self._peers[key[0][0]]

    def _answer(self, call: _Call) -> None:
        request = call.request
        CURRENT_CLIENT.set(request.route)
        CURRENT_CALLER.set(call.sender)
        try:
            self._reply(call, messages.OK, (self._dispatch(request.name, request.args),))
        except FaceDetError as error:
            self._send_error(call, type(error).__name__, str(error))
        except Exception as error:
            log.exception("%.40s failed", request.name)
            self._send_error(call, "InternalError", f"{type(error).__name__} inside the daemon; see its log")

    def _send_error(self, call: _Call, name: str, message: str) -> None:
        line = " ".join(message.splitlines())[:MAX_ERROR_CHARS].encode("utf-8", "replace").decode()
        # The third part is the traceback, which clients show: zerorpc's for Python instead of the message,
        # and zerorpc's for Node as the error's stack, which is all that many programs print of an error.
        told = f"{name}: {line}"
        args = (name, line, told) if call.request.version >= 2 else (told,)
        self._reply(call, messages.ERR, args)

    def _reply(self, call: _Call, name: str, args: tuple[Any, ...]) -> None:
        """Send the last message about a call; while parting, end its connection if nothing else uses it."""
        frames = messages.pack_message(call.request.route, call.request.id, name, args)
        unsent = time.monotonic() - call.beaten < UNSENT_S or self._peers[frames[0]].overlapping
        plain = self._authenticator is None
        if self._parting and plain and not unsent and self._sockets.end_with(frames[0], frames[1:]):
            return
        self._send(frames)

    def _send_heartbeat(self, call: _Call) -> bool:
        call.beaten = time.monotonic()
        return self._send(
            messages.pack_message(call.request.route, call.request.id, messages.HEARTBEAT, (0,))
        )

    def _send(self, frames: list[bytes]) -> bool:
        """Send a message; return False if the caller is no longer connected."""
        try:
            # Without NOBLOCK, greenlets could switch between two frames of a message.
            self._socket.send_multipart(frames, flags=zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.debug("cannot reach a caller: %s", error)
            return False
        return True

    def _now(self) -> float:
        """Return the clock (seconds) by which callers are judged.

        It stops while we stall, because heartbeats that arrive meanwhile are waiting to be read.
        """
        return self._clock + min(time.monotonic() - self._ticked, self._beat_s)

    def _beat(self) -> None:
        """Send heartbeats for ever, and drop callers that are gone."""
        while True:
            gevent.sleep(self._beat_s)
            self._clock, self._ticked = self._now(), time.monotonic()
            for call in list(self._calls.values()):
                if not self._send_heartbeat(call) or self._silent(call):
                    call.greenlet.kill(block=False)

    def _silent(self, call: _Call) -> bool:
        patience = 2 * max(self._heartbeat_s, call.longest_gap)
        return call.heartbeat_seen and self._now() - call.heard > patience


def _identify_caller(frame: zmq.Frame) -> Caller:
    """Return who sent a message, as far as ZeroMQ knows: the user id over ipc, address and key over tcp."""
    address = _frame_property(frame, "Peer-Address") or ""
    local = _LOCAL.fullmatch(address)
    if local is not None:
        return Caller("rpc", uid=int(local[1]))
    return Caller("rpc", peer=address or None, key=_frame_property(frame, "User-Id") or None)


def _frame_property(frame: zmq.Frame, name: str) -> str | None:
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return None
