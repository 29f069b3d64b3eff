"""ZoneMinder's API and pictures, over http from the one address in config.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from face_det.errors import ConfigError, PortalFailed, UnknownEvent
from face_det.integrations.http_answers import ask


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """Where ZoneMinder is, such as `http://127.0.0.1/zm`, and how to log in; no user if it needs no login."""

    url: str
    user: str = ""
    password_file: Path | None = None
    verify_tls: bool = True
    timeout_s: float = 10.0


class Portal:
    """A client of ZoneMinder's API; an asynchronous context manager.

    Nothing but the configured address is asked: redirects are refused. Errors never contain the password or a
    token.
    """

    def __init__(self, settings: PortalSettings) -> None:
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self._token: str | None = None
        self._client = httpx.AsyncClient(
            timeout=settings.timeout_s, follow_redirects=False, trust_env=False, verify=settings.verify_tls
        )

    async def __aenter__(self) -> Portal:
        """Return this client; it logs in when it first asks."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def event(self, eid: int) -> dict[str, Any]:
        """Return the row of an event, with `Monitor` in it. Raises UnknownEvent, PortalFailed."""
        answer = await self._json("GET", f"api/events/{eid}.json", eid=eid)
        found = answer.get("event")
        if not isinstance(found, dict) or not isinstance(found.get("Event"), dict):
            raise UnknownEvent(f"event {eid}: ZoneMinder has no such event")
        return {**found["Event"], "Monitor": found.get("Monitor") or {}}

    async def frame_ids(self, eid: int) -> list[int]:
        """Return the numbers of the frames that ZoneMinder lists for an event, in their order."""
        answer = await self._json("GET", f"api/frames/index/EventId:{eid}.json", eid=eid)
        rows = answer.get("frames") or []
        return sorted({int(row["Frame"]["FrameId"]) for row in rows})

    async def frame(self, eid: int, number: int) -> bytes | None:
        """Return the JPEG of a frame, or None if ZoneMinder doesn't have it (yet)."""
        answer = await self._ask(
            "GET", "index.php", params={"view": "image", "eid": str(eid), "fid": str(number)}
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        self._require_success(answer)
        return answer.content if answer.content[:3] == b"\xff\xd8\xff" else None

    async def write_notes(self, eid: int, notes: str) -> None:
        """Write an event's notes, and see that they are there. Raises UnknownEvent, PortalFailed."""
        await self._json("PUT", f"api/events/{eid}.json", eid=eid, data={"Event[Notes]": notes})
        if (await self.event(eid)).get("Notes") != notes:
            raise PortalFailed(
                f"event {eid}: ZoneMinder did not keep the notes; its user must be allowed to edit events"
            )

    async def _json(self, method: str, path: str, *, eid: int, **request: Any) -> dict[str, Any]:
        answer = await self._ask(method, path, **request)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise UnknownEvent(f"event {eid}: ZoneMinder has no such event")
        self._require_success(answer)
        try:
            value = answer.json()
        except ValueError as error:
            raise PortalFailed(
                f"ZoneMinder: must answer {path} with JSON, got {answer.text!r:.60}"
            ) from error
        if not isinstance(value, dict):
            raise PortalFailed(f"ZoneMinder: must answer {path} with an object")
        return value

    async def _ask(
        self, method: str, path: str, *, params: dict[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        """Ask with a token; log in again if ZoneMinder no longer takes it."""
        for attempt in range(2):
            fresh = self._token is None
            if self._settings.user and fresh:
                await self._log_in()
            token = {"token": self._token} if self._token else {}
            answer = await self._send(method, path, params={**(params or {}), **token}, **request)
            if answer.status_code != httpx.codes.UNAUTHORIZED or fresh or attempt:
                break
            self._token = None
        return answer

    async def _log_in(self) -> None:
        file = self._settings.password_file
        try:
            password = "" if file is None else file.read_text("utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise ConfigError([f"zoneminder.passwordFile: {file} cannot be read: {error}"]) from error
        form = {"user": self._settings.user, "pass": password}
        answer = await self._send("POST", "api/host/login.json", data=form)
        self._require_success(answer)
        try:
            self._token = str(answer.json()["access_token"])
        except (ValueError, KeyError, TypeError) as error:
            raise PortalFailed("ZoneMinder: the login must answer with an access_token") from error

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        system = f"ZoneMinder at {self._base}"
        return await ask(self._client, method, f"{self._base}/{path}", system=system, path=path, **request)

    def _require_success(self, answer: httpx.Response) -> None:
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise PortalFailed(
                f"ZoneMinder at {self._base} refuses access ({answer.status_code}); check zoneminder.user "
                "and passwordFile, and that the API is enabled"
            )
        if not answer.is_success:
            raise PortalFailed(f"ZoneMinder at {self._base} answers with status {answer.status_code}")
