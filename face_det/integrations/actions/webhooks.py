"""Calls a webhook: with the event as JSON, as Home Assistant and most others expect, or as text, for ntfy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from face_det.integrations.actions.effects import ActionFailed
from face_det.integrations.actions.fields import TOKEN, describe, fill

NTFY = "ntfy"
TOKEN_IN_BRACES = f"{{{TOKEN}}}"
MAX_TOKEN_BYTES = 10_000


@dataclass(frozen=True)
class WebhookSettings:
    """Where a webhook is and how it is called.

    The token in `token_file` replaces {token} in the address or, if there is none, is sent as a bearer token.
    With `format` "ntfy", the `message` is sent, with the event's fields filled in.
    """

    url: str
    format: str = "json"
    message: str = "{person} at {camera}"
    token_file: Path | None = None
    verify_tls: bool = True
    timeout_s: float = 10.0


class Webhook:
    """A webhook; redirects are not followed, and proxies in the environment are not used."""

    def __init__(self, name: str, settings: WebhookSettings) -> None:
        """`name` is the action's, which is sent along."""
        self._name = name
        self._settings = settings
        parts = urlsplit(settings.url)
        self._place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        # Created now, because loading the certificate authorities takes a while, and would delay actions.
        self._client = httpx.AsyncClient(
            verify=settings.verify_tls and parts.scheme == "https",
            follow_redirects=False,
            trust_env=False,
            timeout=settings.timeout_s,
            # A connection that the server closed meanwhile would look like a failure.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def perform(self, event: dict[str, Any]) -> None:
        """Call it; raise ActionFailed unless it answers with 2xx in time."""
        try:
            status = await asyncio.wait_for(self._post(event), self._settings.timeout_s)
        except (asyncio.TimeoutError, httpx.TimeoutException):
            raise self._failed(f"must answer within {self._settings.timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # Without the error's text and its cause: they may contain the address.
            raise self._failed(f"cannot be called: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise self._failed(f"must answer 2xx, got {status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, event: dict[str, Any]) -> int:
        url, headers = self._settings.url, {}
        token = self._read_token()
        if TOKEN_IN_BRACES in url:
            url = url.replace(TOKEN_IN_BRACES, quote(token, safe=""))
        elif token:
            headers["Authorization"] = f"Bearer {token}"
        body: dict[str, Any] = {"json": {"action": self._name, **describe(event)}}
        if self._settings.format == NTFY:
            headers["Title"] = "face_det"
            body = {"content": fill(self._settings.message, event).encode()}
        # The body is not read: it may be endless.
        async with self._client.stream("POST", url, headers=headers, **body) as answer:
            return answer.status_code

    def _read_token(self) -> str:
        """Return the token; it is read each time, so that a new one needs no restart."""
        path = self._settings.token_file
        if path is None:
            return ""
        try:
            with path.open("rb") as file:
                token = file.read(MAX_TOKEN_BYTES).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ActionFailed(f"tokenFile {path}: cannot be read: {why}") from None
        if not token:
            raise ActionFailed(f"tokenFile {path}: must hold a token, got nothing")
        return token

    def _failed(self, why: str) -> ActionFailed:
        return ActionFailed(f"webhook at {self._place}: {why}")
