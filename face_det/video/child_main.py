"""What the processes for cv2 have in common: they talk over a socket, and end with their caller."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from typing import Any


class Caller:
    """The other end of the socket, seen from the process."""

    def __init__(self) -> None:
        """Take the descriptors from the command line."""
        descriptor, self.memory = (int(argument) for argument in sys.argv[1:3])
        self._connection = Connection(descriptor)
        self._descriptor = descriptor

    def exit_with_it(self) -> None:
        """From now on, exit as soon as the caller's end is closed, even in the middle of a frame."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLRDHUP)
        poll.poll()
        os._exit(0)

    def send(self, **message: Any) -> None:
        """Send a message."""
        self._connection.send_bytes(json.dumps(message).encode())

    def receive(self) -> dict[str, Any]:
        """Wait for a message; EOFError if the caller has gone."""
        message: dict[str, Any] = json.loads(self._connection.recv_bytes())
        return message

    def receive_descriptor(self) -> int:
        """Wait for an open file and return its descriptor; EOFError if the caller has gone."""
        return recv_handle(self._connection)
