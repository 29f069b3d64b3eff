"""Calls a zerorpc server that is another program than this package's daemon."""

from __future__ import annotations

from typing import Any

from face_det.errors import DataError, FaceDetError, Unreachable
from face_det.rpc.client import Client


class ForeignClient(Client):
    """A connection to a zerorpc server that is not this package's daemon; a context manager.

    `what` is what messages call the server, such as "an object detector". An error that the server answers
    with is a DataError that names its class; Unreachable and ConfigError are raised as by `Client`.

    >>> with ForeignClient("ipc:///tmp/nobody", "an object detector") as client:
    ...     client.call("detect_objects", ["/tmp/a.jpg"])
    Traceback (most recent call last):
    ...
    face_det.errors.Unreachable: ipc:///tmp/nobody: an object detector must answer there, got: No such file or directory; start it and try again
    """  # noqa: E501

    def __init__(self, endpoint: str, what: str, *, timeout_s: float = 30, heartbeat_s: float = 60) -> None:
        super().__init__(endpoint, timeout_s=timeout_s, heartbeat_s=heartbeat_s)
        self._what = what

    def call(self, verb: str, *args: Any) -> Any:
        """Call a verb of the server with positional arguments, and return what it answers."""
        return self._call(verb, *args)

    def _remote_error(self, verb: str, name: str, message: str) -> FaceDetError:
        said = " ".join(message.split()) or "no message"
        return DataError(f"{self._endpoint.text}: {self._what} failed in {verb}: {name}: {said}")

    def _unreachable(self, why: str) -> Unreachable:
        place = self._endpoint.text
        return Unreachable(f"{place}: {self._what} must answer there, got: {why}; start it and try again")
