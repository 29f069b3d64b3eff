"""One connection of an AsyncClient: many calls at once, each with its own heartbeats."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import zmq
import zmq.asyncio
from zmq.utils.monitor import parse_monitor_message

from face_det.rpc import connection, messages
from face_det.rpc.keys import ClientKeys
from face_det.rpc.messages import MalformedMessage, Message

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 2**30
"""A larger message ends the connection: it is no answer of our daemon's."""
SILENT_BEATS = 2
"""A call is given up after more of our own heartbeats than these without a sign of life."""
BURST = 100
"""So many messages are read before other tasks of the loop have their turn."""


@dataclass(eq=False)
class _Call:
    """A call that waits. Its answer is a message, or the reason why there is none."""

    verb: str
    answer: asyncio.Future[Message | str]
    heard: bool = False
    silent_beats: int = 0


class Connection:
    """A connection to the daemon, from its first handshake to its first fault; it is never made again.

    A new one tells the calls of an old daemon from those of the next. A `retired` connection takes no new
    calls and is closed by the last of its calls.
    """

    def __init__(
        self,
        context: zmq.asyncio.Context,
        place: str,
        keys: ClientKeys | None,
        heartbeat_s: float,
    ) -> None:
        """Begin to connect to the address, in the running loop; raise zmq.ZMQError at a limit of sockets."""
        loop = asyncio.get_running_loop()
        self.retired = False
        self.closed = False
        self._why = "this client was closed"
        self._tcp = place.startswith("tcp:")
        self._keys = keys
        self._heartbeat_s = heartbeat_s
        self._calls: dict[messages.MessageId | None, _Call] = {}
        self._outcome: asyncio.Future[str | None] = loop.create_future()
        self._socket = context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_ANSWER_BYTES)
        self._socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        if self._tcp:
            connection.prepare_tcp(self._socket.setsockopt, place, keys)
        self._monitor = self._socket.get_monitor_socket(connection.HANDSHAKES | zmq.EVENT_DISCONNECTED)
        self._socket.connect(place)
        self.tasks = (loop.create_task(self._serve()), loop.create_task(self._beat()))

    async def opened(self, patience_s: float) -> str | None:
        """Wait for the end of the handshake; return the reason if the daemon refused it.

        After `patience_s` seconds the daemon counts as a slow one: the call itself will show if it answers.
        """
        await asyncio.wait({self._outcome}, timeout=patience_s)
        return self._outcome.result() if self._outcome.done() else None

    async def ask(
        self, verb: str, call_id: bytes, request: list[bytes], timeout_s: float, limit_s: float
    ) -> Message | str:
        """Send a request and return its answer, or the reason why there is none.

        `timeout_s` is what is left of `limit_s`, the caller's limit. If this task is cancelled, or no answer
        comes, the daemon is told that nobody waits.
        """
        if self.closed:
            return self._why
        call = self._calls[call_id] = _Call(verb, asyncio.get_running_loop().create_future())
        try:
            self._send(request)
            await asyncio.wait({call.answer}, timeout=timeout_s)
            if call.answer.done():
                return call.answer.result()
            # The daemon sends each call heartbeats. If none came, it may not hear us on this connection.
            self.retired |= not call.heard
            return f"no reply to {verb} within {limit_s} s"
        finally:
            del self._calls[call_id]
            if not call.answer.done() or isinstance(call.answer.result(), str):
                self._send(messages.pack_message([], call_id, messages.CANCEL, ()))
            if self.retired and not self._calls:
                self.close(self._why)

    def look(self) -> None:
        """Notice what became of the connection since the loop last ran."""
        while not self.closed and (frames := _waiting(self._monitor)) is not None:
            event = parse_monitor_message(frames)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                if not self._outcome.done():
                    self._outcome.set_result(None)
            elif event == zmq.EVENT_DISCONNECTED:
                self.close("the connection was cut")
            elif self._tcp:
                self.close(connection.refusal(self._keys))
            else:
                self.close("something that is not a daemon")

    def close(self, why: str) -> None:
        """Disconnect; calls that wait end with the reason."""
        if self.closed:
            return
        self._read(None)  # answers that came before the end count
        self.closed, self._why = True, why
        if not self._outcome.done():
            self._outcome.set_result(why)
        for call in self._calls.values():
            if not call.answer.done():
                call.answer.set_result(f"{why} during {call.verb}")
        for task in self.tasks:
            task.cancel()
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)

    async def _serve(self) -> None:
        """Read what arrives, until the connection ends."""
        poller = zmq.asyncio.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        try:
            while not self.closed:
                await poller.poll()
                self._read(BURST)
                self.look()
                await asyncio.sleep(0)
        finally:
            self.close("the client's event loop was stopped")

    async def _beat(self) -> None:
        """Send each call's heartbeats, and give up those calls of which the daemon shows no sign of life.

        Counting our own heartbeats, instead of seconds, leaves out the time in which this process stands
        still and what the daemon sent lies unread.
        """
        while True:
            await asyncio.sleep(self._heartbeat_s)
            for call_id, call in list(self._calls.items()):
                if call.answer.done() or call_id is None:
                    continue
                call.silent_beats += 1
                if call.silent_beats > SILENT_BEATS:
                    self.retired = True
                    call.answer.set_result(f"no heartbeat for {2 * self._heartbeat_s} s during {call.verb}")
                else:
                    self._send(messages.pack_message([], call_id, messages.HEARTBEAT, (0,)))

    def _read(self, most: int | None) -> None:
        """Read what has arrived, at most so many messages."""
        while most != 0 and not self.closed and (frames := _waiting(self._socket)) is not None:
            most = None if most is None else most - 1
            try:
                message = messages.unpack_message(frames)
            except MalformedMessage as fault:
                log.debug("dropped a malformed message: %s", fault)
                continue
            call = self._calls.get(message.response_to)
            if call is None:
                continue  # the answer to a call that was given up
            call.heard, call.silent_beats = True, 0
            if message.name in (messages.OK, messages.ERR, messages.STREAM) and not call.answer.done():
                call.answer.set_result(message)

    def _send(self, frames: list[bytes]) -> None:
        if not self.closed:
            # Without a high-water mark it is done at once, and can be done while a task is cancelled.
            sent: Any = self._socket.send_multipart(frames, flags=zmq.NOBLOCK)
            sent.result()


def _waiting(socket: zmq.asyncio.Socket) -> list[bytes] | None:
    """Return a message that has arrived, or None."""
    read: Any = socket.recv_multipart(zmq.NOBLOCK)
    try:
        frames: list[bytes] = read.result()
    except zmq.Again:
        return None
    return frames
