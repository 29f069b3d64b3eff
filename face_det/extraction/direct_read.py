"""Reads objects from an HTTP server without botocore, which takes most of the processor time of a request."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3
from botocore.exceptions import BotoCoreError

BROKEN = (urllib3.exceptions.HTTPError, OSError)
"""What reading an answer raises when it breaks off."""
EXPIRES_S = 300
"""How long a signed address is good for; it is used at once."""
MOST_FAILURES = 10
"""So many requests in a row without an answer, and none is made any more."""


class DirectReader:
    """Asks for objects by addresses that botocore signs.

    What goes wrong is left to botocore, which repeats requests, follows regions and explains errors: a caller
    who gets no answer asks botocore. Only for http, because botocore knows what https and proxies need.
    """

    def __init__(self, endpoint_url: str | None, *, connections: int, timeout_s: float) -> None:
        """`endpoint_url` is the server's address; with https, a proxy or None, there is never an answer."""
        address = urlsplit(endpoint_url or "")
        self._possible = address.scheme == "http" and not _has_proxy(address.hostname or "")
        self._pools = urllib3.PoolManager(maxsize=connections, timeout=timeout_s)
        self._failures = 0

    def close(self) -> None:
        """Close the connections, once no thread reads any more."""
        self._pools.clear()

    @contextmanager
    def open(self, client: Any, bucket: str, key: str) -> Iterator[urllib3.HTTPResponse | None]:
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
            if answer is not None:
                answer.close()

    def _ask(self, client: Any, bucket: str, key: str) -> urllib3.HTTPResponse | None:
        wanted = {"Bucket": bucket, "Key": key}
        try:
            url = urlsplit(client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=EXPIRES_S))
            # Asked for a whole address, the manager would resolve ".." in a key, and get another object.
            pool = self._pools.connection_from_host(url.hostname, url.port, url.scheme)
            answer = pool.urlopen(
                "GET",
                f"{url.path}?{url.query}",
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (BotoCoreError, *BROKEN):
            self._failures += 1
            return None
        assert isinstance(answer, urllib3.HTTPResponse)
        if answer.status == HTTPStatus.OK:
            self._failures = 0
            return answer
        self._failures += 1
        answer.close()
        return None


def _has_proxy(host: str) -> bool:
    return "http" in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)
