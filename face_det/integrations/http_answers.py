"""Sends requests to another system's HTTP server, and limits the length of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from face_det.errors import PortalFailed

MAX_BYTES = 32_000_000
"""The longest answer that is read."""


class ServerSection(Protocol):
    """The settings of a server in config.json: those of `zoneminder`, or of `frigate`."""

    @property
    def url(self) -> str:
        """Its address."""
        ...

    @property
    def user(self) -> str:
        """Who logs in, "" if it needs no login."""
        ...

    @property
    def password_file(self) -> Path | None:
        """The file with the password."""
        ...

    @property
    def verify_tls(self) -> bool:
        """Whether its certificate is checked."""
        ...

    @property
    def timeout(self) -> float:
        """How many seconds an answer may take."""
        ...


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where a server is, and how to log in there; no user if it needs no login."""

    url: str
    user: str = ""
    password_file: Path | None = None
    verify_tls: bool = True
    timeout_s: float = 10.0

    @classmethod
    def configured(cls, section: ServerSection) -> ServerSettings:
        """Return the server of a section of config.json."""
        return cls(section.url, section.user, section.password_file, section.verify_tls, section.timeout)


def open_client(settings: ServerSettings) -> httpx.AsyncClient:
    """Return a client that follows no redirects and takes nothing from the environment."""
    return httpx.AsyncClient(
        timeout=settings.timeout_s, follow_redirects=False, trust_env=False, verify=settings.verify_tls
    )


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
                    raise PortalFailed(f"{system}: the answer to {path} has more than {MAX_BYTES} bytes")
            return httpx.Response(answer.status_code, headers=_kept(answer), content=bytes(body))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise no_answer(system, path, error) from error


def hide_login(url: str) -> str:
    """Return an address for messages, without the user and the password that may stand in it.

    >>> hide_login("http://me:secret@127.0.0.1:8971/zm/")
    'http://127.0.0.1:8971/zm'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")


def no_answer(system: str, path: str, error: httpx.HTTPError | httpx.InvalidURL) -> PortalFailed:
    """Return the error that says so; `system` and `path` are for its message.

    >>> str(no_answer("Frigate", "events", httpx.ReadTimeout("too slow")))
    'Frigate does not answer events: too slow'
    """
    return PortalFailed(f"{system} does not answer {path}: {str(error) or type(error).__name__}")


def _kept(answer: httpx.Response) -> dict[str, str]:
    """Return the headers that still apply to a decoded body: its type, and where a redirect leads."""
    return {name: answer.headers[name] for name in ("Content-Type", "Location") if name in answer.headers}
