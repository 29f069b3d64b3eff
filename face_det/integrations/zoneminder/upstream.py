"""A client of the `pyzm.serve` that detects anything but faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from face_det.errors import ConfigError, PortalFailed
from face_det.integrations.http_answers import ask, hide_login


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Its address, such as `http://127.0.0.1:5000`, and how to log in; no user if it needs no login."""

    url: str
    user: str = ""
    password_file: Path | None = None
    timeout_s: float = 60.0


class Upstream:
    """The client, an asynchronous context manager. Errors never contain the password or a token."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self._system = f"pyzm.upstream {hide_login(settings.url)}"
        self._token: str | None = None
        self._client = httpx.AsyncClient(timeout=settings.timeout_s, follow_redirects=False, trust_env=False)

    async def __aenter__(self) -> Upstream:
        """Return this client; it logs in when it first asks."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def infer(self, fields: Mapping[str, str], image: bytes | None) -> dict[str, Any]:
        """Return what one model detects, for the fields of a form and a picture. Raises PortalFailed."""
        files = None if image is None else {"image": ("frame", image)}
        return await self._ask("POST", "infer", data=dict(fields), files=files)

    async def detect(self, image: bytes) -> dict[str, Any]:
        """Return what all of its models detect in a picture, for pyzm up to 2.4. Raises PortalFailed."""
        return await self._ask("POST", "detect", files={"file": ("frame", image)})

    async def models(self) -> list[Any]:
        """Return its list of models. Raises PortalFailed."""
        return list((await self._ask("GET", "models")).get("models") or [])

    async def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        for attempt in range(2):
            if self._settings.user and self._token is None:
                self._token = await self._log_in()
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            answer = await self._send(method, path, headers=headers, **request)
            if answer.status_code != httpx.codes.UNAUTHORIZED or attempt:
                break
            self._token = None
        return self._object(path, answer)

    async def _log_in(self) -> str:
        file = self._settings.password_file
        try:
            password = "" if file is None else file.read_text("utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise ConfigError([f"pyzm.passwordFile: {file} cannot be read: {error}"]) from error
        about = {"username": self._settings.user, "password": password}
        found = self._object("login", await self._send("POST", "login", json=about))
        return str(found.get("access_token") or "")

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        url = f"{self._base}/{path}"
        return await ask(self._client, method, url, system=self._system, path=path, **request)

    def _object(self, path: str, answer: httpx.Response) -> dict[str, Any]:
        if not answer.is_success:
            raise PortalFailed(f"{self._system} answers {path} with {answer.status_code}")
        try:
            value = answer.json()
        except ValueError as error:
            raise PortalFailed(f"{self._system} must answer {path} with JSON") from error
        if not isinstance(value, dict):
            raise PortalFailed(f"{self._system} must answer {path} with an object")
        return value
