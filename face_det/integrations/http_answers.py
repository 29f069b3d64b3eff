"""Asks another system's HTTP server, and reads no more of its answer than is allowed."""

from __future__ import annotations

from typing import Any

import httpx

from face_det.errors import PortalFailed

MAX_BYTES = 32_000_000
"""The longest answer that is read."""


async def ask(
    client: httpx.AsyncClient, method: str, url: str, *, system: str, path: str, **request: Any
) -> httpx.Response:
    """Return the whole answer, whatever its status. Raises PortalFailed if there is none, or it is too long.

    `system` and `path` are for the message, which never shows the query: it may hold a token.
    """
    try:
        async with client.stream(method, url, **request) as answer:
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    raise PortalFailed(f"{system}: {path} has more than {MAX_BYTES} bytes")
            return httpx.Response(answer.status_code, headers=_kind(answer), content=bytes(body))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise PortalFailed(f"{system} does not answer {path}: {reason}") from error


def _kind(answer: httpx.Response) -> dict[str, str]:
    """Return the header that says how the text is encoded; others no longer fit the body."""
    kind = answer.headers.get("Content-Type")
    return {} if kind is None else {"Content-Type": kind}
