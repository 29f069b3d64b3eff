"""ZoneMinder's API and pictures, over http from the one address in config.json."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import tzinfo
from typing import IO, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx

from face_det.errors import CannotWrite, ConfigError, PortalFailed, UnknownEvent
from face_det.integrations.http_answers import ServerSettings, ask, hide_login, no_answer, open_client

_FIRST_WITH_TAGS = (1, 37, 44)
_RIGHTS = ("token", "auth", "user", "pass", "username", "password")
"""The parameters that carry credentials."""
MAX_TAG = 64
"""The longest tag, in characters of latin1."""
MAX_VIDEO_BYTES = 4_000_000_000
"""The largest video that is fetched."""


class Portal:
    """A client of ZoneMinder's API; an asynchronous context manager.

    Only the configured address is contacted: redirects are refused. Errors never contain the password or a
    token.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._base = settings.url.rstrip("/")
        self._system = f"ZoneMinder at {hide_login(settings.url)}"
        self._token: str | None = None
        self._client = open_client(settings)

    async def __aenter__(self) -> Portal:
        """Return this client; it logs in when it first asks."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def version(self) -> str:
        """Return ZoneMinder's version; raises PortalFailed, also if it does not accept the login."""
        return str((await self._json("GET", "api/host/getVersion.json")).get("version"))

    async def event(self, eid: int) -> dict[str, Any]:
        """Return the row of an event, with `Monitor` in it. Raises UnknownEvent, PortalFailed."""
        found = await self._find(eid, noframes="true")
        return {**found["Event"], "Monitor": found.get("Monitor") or {}}

    async def frame_ids(self, eid: int) -> list[int]:
        """Return the numbers of the frames that have a row, in their order.

        Most do not: without motion, only one in a hundred does (ZM_BULK_FRAME_INTERVAL). `api/frames/index`
        would list the rows of every event.
        """
        return sorted({int(row["FrameId"]) for row in (await self._find(eid)).get("Frame") or []})

    async def time_zone(self) -> tzinfo | None:
        """Return the time zone of ZoneMinder's times; None, which means ours, if it is unknown."""
        try:
            answer = await self._json("GET", "api/host/getTimeZone.json")
            return ZoneInfo(str(answer["tz"]))
        except (PortalFailed, KeyError, ValueError, ZoneInfoNotFoundError):
            return None

    async def frame(self, eid: int, number: int) -> bytes | None:
        """Return the JPEG of a frame that has a row, or None if ZoneMinder doesn't have it (yet)."""
        return await self._picture({"eid": str(eid), "fid": str(number)})

    async def picture(self, path: str) -> bytes | None:
        """Return a JPEG by its path below ZoneMinder's folder of events; None if there is none."""
        return await self._picture({"path": path})

    async def frame_for(self, query: Mapping[str, str], rights: Mapping[str, str]) -> bytes | None:
        """Return the JPEG that a client asks for by `eid` and `fid`, using its credentials, such as a token.

        Without any, ours are used. None if there is no such picture.
        """
        params = {key: query[key] for key in ("eid", "fid") if key in query}
        theirs = pick_rights(rights.items())
        if not theirs:
            return await self._picture(params)
        return self._jpeg(await self._send("GET", "index.php", params={"view": "image", **params, **theirs}))

    async def save_video(self, eid: int, file: IO[bytes]) -> None:
        """Write an event's video to a file. Raises PortalFailed, CannotWrite."""
        await self.event(eid)  # the video's address does not say if a login is missing
        params = {"view": "view_video", "eid": str(eid), **self._token_field()}
        size = 0
        try:
            async with self._client.stream("GET", f"{self._base}/index.php", params=params) as answer:
                if not answer.headers.get("content-type", "").startswith("video/"):
                    raise PortalFailed(
                        f"event {eid}: ZoneMinder must send its video, got something else; is it still there?"
                    )
                async for part in answer.aiter_bytes():
                    size += len(part)
                    if size > MAX_VIDEO_BYTES:
                        raise PortalFailed(f"event {eid}: its video has more than {MAX_VIDEO_BYTES} bytes")
                    await asyncio.to_thread(file.write, part)
        except httpx.HTTPError as error:
            raise no_answer(self._system, "its video", error) from error
        except OSError as error:
            raise CannotWrite(
                f"event {eid}: its video cannot be stored for decoding: {error.strerror}; make room in TMPDIR"
            ) from error

    async def write_notes(self, eid: int, notes: str) -> None:
        """Write an event's notes, and check that they were stored. Raises UnknownEvent, PortalFailed."""
        await self._json("PUT", f"api/events/{eid}.json", eid, data={"Event[Notes]": notes})
        if (await self.event(eid)).get("Notes") != notes:
            raise PortalFailed(
                f"event {eid}: ZoneMinder did not store the notes; its user must be allowed to edit events"
            )

    async def tag(self, eid: int, names: Collection[str]) -> None:
        """Tag an event with these names, from 1.38 on; its other tags stay. Raises PortalFailed.

        This uses the requests of ZoneMinder's web page, because `api/tags` of 1.38 does not answer.
        """
        if _parse_version(await self.version()) < _FIRST_WITH_TAGS:
            return
        missing = set(names) - await self._tags_of(eid)
        known = await self._request("tags", "getavailabletags") if missing else []
        ids = {tag["Name"]: tag["Id"] for tag in known}
        for name in sorted(missing):
            if name not in ids:
                made = await self._request("tags", "createtag", tname=name)
                ids |= {tag["Name"]: tag["Id"] for tag in made}
            if name in ids:
                await self._request("event", "addtag", id=str(eid), tid=str(ids[name]))
        # ZoneMinder answers Ok, too, if its database has refused something.
        if missing and (refused := missing - await self._tags_of(eid)):
            raise PortalFailed(
                f"event {eid}: ZoneMinder did not store the tags {', '.join(map(repr, sorted(refused)))}; "
                f"a tag must have at most {MAX_TAG} characters, of Western European languages only"
            )

    async def _tags_of(self, eid: int) -> set[str]:
        return {tag["Name"] for tag in await self._request("event", "getselectedtags", id=str(eid))}

    async def _request(self, request: str, action: str, **params: str) -> list[Any]:
        query = {"view": "request", "request": request, "action": action, **params}
        answer = await self._ask("GET", "index.php", params=query)
        self._require_success(answer)
        try:
            value = answer.json()
        except ValueError:
            value = None
        if not isinstance(value, dict) or value.get("result") != "Ok":
            raise PortalFailed(f"ZoneMinder: must answer {action} with Ok, got {answer.text!r:.100}")
        return list(value.get("response") or [])

    async def _find(self, eid: int, **params: str) -> dict[str, Any]:
        """Return an event with its related rows. Raises UnknownEvent, PortalFailed."""
        answer = await self._json("GET", f"api/events/{eid}.json", eid, params=params)
        found = answer.get("event")
        if not isinstance(found, dict) or not isinstance(found.get("Event"), dict):
            raise UnknownEvent(f"event {eid}: ZoneMinder has no such event")
        if "MonitorId" not in found["Event"]:
            raise PortalFailed(
                f"event {eid}: ZoneMinder does not show it; its user must be allowed to view that monitor"
            )
        return found

    async def _json(self, method: str, path: str, eid: int | None = None, **request: Any) -> dict[str, Any]:
        answer = await self._ask(method, path, **request)
        if answer.status_code == httpx.codes.NOT_FOUND and eid is not None:
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

    async def _picture(self, params: Mapping[str, str]) -> bytes | None:
        return self._jpeg(await self._ask("GET", "index.php", params={"view": "image", **params}))

    def _jpeg(self, answer: httpx.Response) -> bytes | None:
        if answer.status_code == httpx.codes.NOT_FOUND or (answer.is_success and not answer.content):
            return None
        self._require_success(answer)
        if answer.content[:3] != b"\xff\xd8\xff":
            raise PortalFailed(f"{self._system} sends no pictures; its user must be allowed to view events")
        return answer.content

    async def _ask(
        self, method: str, path: str, *, params: dict[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        """Send a request with a token; log in again if ZoneMinder no longer accepts it."""
        for attempt in range(2):
            fresh = self._token is None
            if self._settings.user and fresh:
                await self._log_in()
            query = {**(params or {}), **self._token_field()}
            answer = await self._send(method, path, params=query, **request)
            if not _needs_login(answer) or fresh or attempt:
                break
            self._token = None
        return answer

    def _token_field(self) -> dict[str, str]:
        return {"token": self._token} if self._token else {}

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
        url = f"{self._base}/{path}"
        return await ask(self._client, method, url, system=self._system, path=path, **request)

    def _require_success(self, answer: httpx.Response) -> None:
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise PortalFailed(
                f"{self._system} refuses access ({answer.status_code}); check zoneminder.user "
                "and passwordFile, and that the API is enabled, also for this user"
            )
        if "view=privacy" in answer.headers.get("location", ""):
            raise PortalFailed(f"{self._system} asks about its privacy notice first; answer it in a browser")
        if answer.is_redirect:
            raise PortalFailed(f"{self._system} wants a login; set zoneminder.user")
        if not answer.is_success:
            raise PortalFailed(f"{self._system} answers with status {answer.status_code}")


def pick_rights(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return those fields of a query by which ZoneMinder knows who asks.

    >>> pick_rights([("token", "abc"), ("view", "options")])
    {'token': 'abc'}
    """
    return {key: value for key, value in fields if key in _RIGHTS}


def _needs_login(answer: httpx.Response) -> bool:
    """Tell whether a token was rejected: a picture is then a redirect, or an HTML page."""
    page = answer.is_success and answer.content[:1] == b"<"
    return answer.status_code == httpx.codes.UNAUTHORIZED or answer.is_redirect or page


def _parse_version(text: object) -> tuple[int, ...]:
    """Return a version as numbers.

    >>> _parse_version("1.36.33")
    (1, 36, 33)
    """
    return tuple(map(int, re.findall(r"\d+", str(text))))
