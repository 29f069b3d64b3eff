"""Reads objects from an HTTP server without botocore, which takes most of the processor time of a request."""

from __future__ import annotations

import http.client
import threading
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from urllib3.util import wait_for_read

BROKEN = (http.client.HTTPException, OSError)
"""What reading an answer raises when it breaks off."""
EXPIRES_S = 300
"""How long a signed address is good for; it is used at once."""
MOST_FAILURES = 10
"""So many requests in a row without an answer, and none is made any more."""

_SAMPLE = "sample"


class AddressSigner:
    """Signs the addresses of a bucket's objects as a client of botocore's does, in a fraction of its time.

    It takes the server, the style of the path and the kind of the signature from one address of botocore's,
    which works them out anew each time. Credentials are asked for each time, because they may expire. What it
    does not know, such as a bucket that is part of the server's name, botocore signs.
    """

    def __init__(self, client: Any, credentials: Any, bucket: str) -> None:
        """`credentials` are those of `client`, as botocore holds them."""
        self._client = client
        self._credentials = credentials
        self._bucket = bucket
        self._lock = threading.Lock()
        self._learnt: tuple[str, list[str]] | None = None

    def sign(self, key: str) -> str:
        """Return an address where the object can be read. Raises BotoCoreError, as without credentials."""
        with self._lock:
            if self._learnt is None:
                self._learnt = self._learn()
        start, scope = self._learnt
        if not start:
            return self._ask_botocore(key)
        credentials = self._credentials.get_frozen_credentials()
        request = AWSRequest("GET", start + quote(key, safe="/~"))
        if scope:
            _, _, region, service, _ = scope
            S3SigV4QueryAuth(credentials, service, region, EXPIRES_S).add_auth(request)
        else:
            HmacV1QueryAuth(credentials, EXPIRES_S).add_auth(request)
        return str(request.url)

    def _learn(self) -> tuple[str, list[str]]:
        """Return what addresses start with, empty if unknown, and version 4's scope, empty for version 2."""
        address = urlsplit(self._ask_botocore(_SAMPLE))
        query = parse_qs(address.query)
        scope = query.get("X-Amz-Credential", [""])[0].split("/")[-5:]
        version_4 = len(scope) == 5
        known = version_4 or "AWSAccessKeyId" in query
        if self._credentials is None or not known or address.path != f"/{self._bucket}/{_SAMPLE}":
            return "", []
        start = f"{address.scheme}://{address.netloc}{address.path.removesuffix(_SAMPLE)}"
        return start, scope if version_4 else []

    def _ask_botocore(self, key: str) -> str:
        wanted = {"Bucket": self._bucket, "Key": key}
        return str(self._client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=EXPIRES_S))


class DirectReader:
    """Asks for objects by signed addresses, over connections that are kept; threads may share it.

    What goes wrong is left to botocore, which repeats requests, follows regions and explains errors: a caller
    who gets no answer asks botocore. Only for http, because botocore knows what https and proxies need.
    """

    def __init__(self, endpoint_url: str | None, signer: AddressSigner, *, timeout_s: float) -> None:
        """`endpoint_url` is the server's address; with https, a proxy or None, there is never an answer."""
        address = urlsplit(endpoint_url or "")
        self._possible = address.scheme == "http" and not _has_proxy(address.hostname or "")
        self._signer = signer
        self._timeout_s = timeout_s
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._failures = 0

    def close(self) -> None:
        """Close the connections, once no thread reads any more."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def open(self, key: str) -> Iterator[http.client.HTTPResponse | None]:
        """Yield the answer, its body still to be read, or None if botocore is to be asked.

        What the block leaves unread ends the connection. So does an error, and those of BROKEN count.
        """
        asked = self._ask(key)
        if asked is None:
            yield None
            return
        connection, answer = asked
        kept = False
        try:
            yield answer
            kept = answer.isclosed()
        except BROKEN:
            self._failures += 1
            raise
        finally:
            answer.close()
            if kept:
                self._idle.append(connection)
            else:
                connection.close()

    def _ask(self, key: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse] | None:
        """Send a request; None, and no connection is left, unless there is an answer with the object."""
        if not self._possible or self._failures >= MOST_FAILURES:
            return None
        connection = None
        with suppress(BotoCoreError, *BROKEN):
            url = urlsplit(self._signer.sign(key))
            connection = self._connect(url.hostname or "", url.port)
            connection.request("GET", f"{url.path}?{url.query}")
            answer = connection.getresponse()
            if answer.status == HTTPStatus.OK:
                self._failures = 0
                return connection, answer
        if connection is not None:
            connection.close()
        self._failures += 1
        return None

    def _connect(self, host: str, port: int | None) -> http.client.HTTPConnection:
        """Return a connection that was kept, unless the server has closed it meanwhile, or a new one."""
        while self._idle:
            try:
                kept = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if kept.sock is not None and not wait_for_read(kept.sock, timeout=0):
                return kept
            kept.close()
        return http.client.HTTPConnection(host, port, timeout=self._timeout_s)


def _has_proxy(host: str) -> bool:
    return "http" in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)
