"""Frigate's API, over http from the one address in config.json."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import quote

import httpx

from face_det.errors import ConfigError, PortalFailed, UnknownEvent
from face_det.integrations.frigate.event import PERSON, FrigateEvent, parse_row
from face_det.integrations.http_answers import ServerSettings, ask, hide_login, open_client

log = logging.getLogger(__name__)

PAGE = 100
"""How many events are requested at a time."""
MAX_LABEL = 100
"""The most characters of a sub label."""
CLEAN = ("snapshot-clean.webp", "snapshot-clean.png")
"""The whole frame with nothing drawn on it, as newer and older versions keep it."""


class FrigateServer:
    """A client of Frigate's API; an asynchronous context manager.

    Only the configured address is contacted: redirects are refused. A login is kept as Frigate's cookie,
    and repeated when Frigate no longer accepts it. Errors never contain the password.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self._logging_in, self._logins = asyncio.Lock(), 0
        self._client = open_client(settings)

    async def __aenter__(self) -> FrigateServer:
        """Return this client; it logs in when Frigate first asks for it."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    def __str__(self) -> str:
        """Return the name and the address, for messages."""
        return f"Frigate at {hide_login(self._settings.url)}"

    async def events(self, after: float, cameras: tuple[str, ...] = ()) -> list[FrigateEvent]:
        """Return the events of people that began after a time, oldest first. Raises PortalFailed."""
        found: dict[str, FrigateEvent] = {}
        query = {"after": str(after), "labels": PERSON, "limit": str(PAGE), "include_thumbnails": "0"}
        if cameras:
            query["cameras"] = ",".join(cameras)
        while True:
            rows = await self._json("events", params=query)
            page = self._read_rows(rows)
            fresh = {event.id: event for event in page if event.id not in found}
            found |= fresh
            # Newest first, in every version. Events may begin together, so the last is asked for again.
            if not isinstance(rows, list) or len(rows) < PAGE or not fresh:
                return sorted(found.values(), key=lambda event: event.start)
            query["before"] = str(min(event.start for event in page) + 0.001)

    async def role(self) -> str | None:
        """Return our role there, such as admin; None in versions without roles. Raises PortalFailed."""
        profile = await self._json("profile")
        role = profile.get("role") if isinstance(profile, dict) else None
        return None if role is None else str(role)

    async def event(self, event_id: str) -> FrigateEvent:
        """Return an event. Raises UnknownEvent, PortalFailed."""
        row = await self._json(f"events/{event_id}", event_id=event_id)
        try:
            return parse_row(row)
        except ValueError as error:
            raise PortalFailed(f"{self}: events/{event_id}: {error}") from error

    async def snapshot(self, event_id: str) -> bytes | None:
        """Return the best picture of an ongoing event, the whole frame; None if there is none (yet)."""
        plain = {"crop": "0", "bbox": "0", "timestamp": "0", "quality": "100"}
        return await self._picture(f"events/{event_id}/snapshot.jpg", plain)

    async def clean_snapshot(self, event_id: str) -> bytes | None:
        """Return the whole frame that Frigate kept of an event that has ended, or None if it kept none."""
        for name in CLEAN:
            if (picture := await self._picture(f"events/{event_id}/{name}")) is not None:
                return picture
        return None

    async def latest(self, camera: str) -> bytes | None:
        """Return the newest frame of a camera."""
        return await self._picture(f"{quote(camera, safe='')}/latest.jpg", {"quality": "100"})

    async def recorded(self, camera: str, time: float) -> bytes | None:
        """Return a frame of a camera's recordings, at a time; None if there is none (yet)."""
        return await self._picture(f"{quote(camera, safe='')}/recordings/{time:.3f}/snapshot.jpg")

    async def set_sub_label(self, event_id: str, name: str, score: float) -> None:
        """Set an event's sub label, with a score (0..1); an empty name removes it.

        Raises UnknownEvent, PortalFailed.
        """
        body: dict[str, Any] = {"subLabel": name[:MAX_LABEL]}
        if name and score > 0:
            body["subLabelScore"] = min(score, 1.0)
        await self._json(f"events/{event_id}/sub_label", "POST", event_id=event_id, json=body)

    def _read_rows(self, rows: Any) -> list[FrigateEvent]:
        if not isinstance(rows, list):
            raise PortalFailed(f"{self}: must answer events with a list; check frigate.url")
        page = []
        for row in rows:
            try:
                page.append(parse_row(row))
            except ValueError as error:
                log.warning("%s: %s", self, error)
        return page

    async def _picture(self, path: str, params: dict[str, str] | None = None) -> bytes | None:
        answer = await self._ask("GET", path, params=params)
        # Frigate answers 400 or 404 if it has no such picture.
        if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.BAD_REQUEST):
            return None
        self._require_success(answer, path)
        kind = answer.headers.get("Content-Type", "")
        return answer.content if kind.startswith("image/") and answer.content else None

    async def _json(self, path: str, method: str = "GET", *, event_id: str = "", **request: Any) -> Any:
        answer = await self._ask(method, path, **request)
        if event_id and answer.status_code == httpx.codes.NOT_FOUND:
            raise UnknownEvent(f"event {event_id}: Frigate has no such event")
        self._require_success(answer, path)
        try:
            return answer.json()
        except ValueError as error:
            raise PortalFailed(
                f"{self}: must answer {path} with JSON, got {answer.text!r:.60}; check frigate.url"
            ) from error

    async def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send a request; if Frigate wants a login, log in and send it again."""
        login = self._logins
        answer = await self._send(method, path, **request)
        if answer.status_code == httpx.codes.UNAUTHORIZED and self._settings.user:
            async with self._logging_in:
                # Frigate limits logins, so a request that waited here uses another's.
                if login == self._logins:
                    await self._log_in()
                    self._logins += 1
            answer = await self._send(method, path, **request)
        return answer

    async def _log_in(self) -> None:
        file = self._settings.password_file
        try:
            password = "" if file is None else file.read_text("utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise ConfigError([f"frigate.passwordFile: {file} cannot be read: {error}"]) from error
        answer = await self._send("POST", "login", json={"user": self._settings.user, "password": password})
        self._require_success(answer, "login")

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        return await ask(
            self._client, method, f"{self._base}/api/{path}", system=str(self), path=path, **request
        )

    def _require_success(self, answer: httpx.Response, path: str) -> None:
        status = answer.status_code
        if status == httpx.codes.UNAUTHORIZED:
            raise PortalFailed(f"{self} refuses access ({status}); check frigate.user and passwordFile")
        if status == httpx.codes.FORBIDDEN:
            raise PortalFailed(f"{self} refuses {path} ({status}); frigate.user must be an admin there")
        if not answer.is_success:
            raise PortalFailed(f"{self} answers {path} with status {status}")
