"""Reads objects from an HTTP server without botocore, which takes most of the processor time of a request."""

from __future__ import annotations

import http.client
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError

BROKEN = (http.client.HTTPException, OSError)
"""What reading an answer raises when it breaks off."""
EXPIRES_S = 300
"""How long a signed address is good for; it is used at once."""
MOST_FAILURES = 10
"""So many requests in a row without an answer, and none is made any more."""


class DirectReader:
    """Asks for objects by addresses that botocore signs, over a connection for each thread.

    What goes wrong is left to botocore, which repeats requests, follows regions and explains errors: a caller
    who gets no answer asks botocore. Only for http, because botocore knows what https and proxies need.
    """

    def __init__(self, endpoint_url: str | None, *, timeout_s: float) -> None:
        """`endpoint_url` is the server's address; with https, a proxy or None, there is never an answer."""
        address = urlsplit(endpoint_url or "")
        self._possible = address.scheme == "http" and not _has_proxy(address.hostname or "")
        self._timeout_s = timeout_s
        self._failures = 0
        self._threads = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Close the connections, once no thread reads any more."""
        for connection in self._connections:
            connection.close()

    @contextmanager
    def open(self, client: Any, bucket: str, key: str) -> Iterator[http.client.HTTPResponse | None]:
        """Yield the answer, its body still to be read, or None if `client` is to be asked.

        What the block leaves unread ends the connection. So does an error, and those of BROKEN count.
        """
        answer = None
        if self._possible and self._failures < MOST_FAILURES:
            answer = self._ask(client, bucket, key)
        try:
            yield answer
        except BROKEN:
            self._failures += 1
            raise
        finally:
            if answer is not None and not answer.isclosed():
                self._hang_up()

    def _ask(self, client: Any, bucket: str, key: str) -> http.client.HTTPResponse | None:
        wanted = {"Bucket": bucket, "Key": key}
        try:
            url = urlsplit(client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=EXPIRES_S))
            connection = self._connect(url.netloc)
            connection.request("GET", f"{url.path}?{url.query}")
            answer = connection.getresponse()
            if answer.status == http.HTTPStatus.OK:
                self._failures = 0
                return answer
        except (BotoCoreError, *BROKEN):
            pass
        self._failures += 1
        self._hang_up()
        return None

    def _connect(self, server: str) -> http.client.HTTPConnection:
        if getattr(self._threads, "server", None) != server:
            self._threads.server = server
            self._threads.connection = http.client.HTTPConnection(server, timeout=self._timeout_s)
            self._connections.append(self._threads.connection)
        connection: http.client.HTTPConnection = self._threads.connection
        return connection

    def _hang_up(self) -> None:
        if hasattr(self._threads, "connection"):
            self._threads.connection.close()


def _has_proxy(host: str) -> bool:
    return "http" in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)
