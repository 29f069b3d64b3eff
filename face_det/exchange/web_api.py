"""Asks another program's HTTP API, with a key."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import httpx

from face_det.errors import DataError, PortalFailed
from face_det.exchange.source import Source

TIMEOUT_S = 60.0


class WebApi:
    """A program's API. It follows no redirects and takes nothing from the environment.

    Neither the key nor a password in the address is ever part of a message.
    """

    def __init__(self, program: str, source: Source) -> None:
        """`program` is its name, for messages."""
        address = source.where.rstrip("/").removesuffix("/api")
        parts = urlsplit(address)
        self.place = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._program, self._max_bytes = program, source.max_bytes
        if not source.api_key:
            raise DataError(f"{self.place}: needs an API key of {program}; add --api-key-file")
        self._client = httpx.Client(
            base_url=address,
            headers={"x-api-key": source.api_key},
            timeout=TIMEOUT_S,
            follow_redirects=False,
            trust_env=False,
        )

    def ask(self, method: str, path: str, **request: Any) -> Any:
        """Return the JSON that is answered. Raises DataError and PortalFailed."""
        body = self.read(path, method=method, **request)
        try:
            return json.loads(body)
        except ValueError as error:
            raise DataError(
                f"{self.place}: must answer {path} with JSON, got {body[:40]!r}; is this {self._program}?"
            ) from error

    def read(self, path: str, *, method: str = "GET", **request: Any) -> bytes:
        """Return the body of an answer. Raises DataError for a refusal, PortalFailed without an answer."""
        body = bytearray()
        try:
            with self._client.stream(method, path, **request) as answer:
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > self._max_bytes:
                        raise DataError(f"{self.place}: {path} has more than {self._max_bytes} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise PortalFailed(f"{self.place}: {self._program} does not answer {path}: {why}") from error
        status = answer.status_code
        if status in (401, 403):
            raise DataError(
                f"{self.place}: {self._program} refuses the key for {path} ({status}); check --api-key-file, "
                "and what the key may do"
            )
        if status >= 500 or status == 429:
            raise PortalFailed(f"{self.place}: {self._program} answers {path} with {status}; try again")
        if status != 200:
            raise DataError(f"{self.place}: must answer {path} with 200, got {status}")
        return bytes(body)
