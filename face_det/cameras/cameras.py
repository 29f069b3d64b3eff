"""Asks a camera for a picture: a snapshot over http, a frame of a stream, or a file."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

import httpx

from face_det.errors import BadImage, CameraFailed, UnknownCamera
from face_det.media import grab_frame, is_picture_file, read_image_bytes

TIMEOUT_S = 10.0
MAX_BYTES = 32_000_000
"""The largest snapshot that is read."""


class Cameras:
    """The cameras by name, each with an address; an asynchronous context manager.

    The first one is asked if no name is given. Errors name a camera, never its address, which may contain a
    password.
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        *,
        unverified: Collection[str] = (),
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`unverified` names the cameras whose certificates are not checked."""
        self._addresses = dict(addresses)
        self._unverified = frozenset(unverified)
        self._timeout_s = timeout_s
        # No redirects: whoever controls a camera could point at any server that is reached from here.
        self._checked, self._unchecked = (
            httpx.AsyncClient(timeout=timeout_s, follow_redirects=False, trust_env=False, verify=verify)
            for verify in (True, False)
        )

    async def __aenter__(self) -> Cameras:
        """Return the cameras; connections are made when they are needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._checked.aclose()
        await self._unchecked.aclose()

    @property
    def names(self) -> tuple[str, ...]:
        """The cameras' names, the default one first."""
        return tuple(self._addresses)

    def resolve(self, name: str | None) -> str:
        """Return the name of a camera that exists; the default one for None. Raises UnknownCamera."""
        if not self._addresses:
            raise UnknownCamera("cameras: none is configured; add one to `cameras` in config.json")
        if name is None:
            return next(iter(self._addresses))
        if name not in self._addresses:
            raise UnknownCamera(f"camera: must be one of {', '.join(self._addresses)}, got {name[:100]!r}")
        return name

    async def fetch_picture(self, name: str | None = None) -> bytes:
        """Return the encoded picture that a camera takes now.

        Raises UnknownCamera for a name that is not configured, CameraFailed if the camera does not answer
        with a picture in time.
        """
        name = self.resolve(name)
        address = self._addresses[name]
        try:
            return await asyncio.wait_for(self._fetch(name, address), 2 * self._timeout_s)
        except asyncio.TimeoutError as error:
            raise CameraFailed(f"camera {name}: must send a picture within {self._timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise CameraFailed(f"camera {name}: must answer over http, got {type(error).__name__}") from error
        except _BadAnswer as error:
            raise CameraFailed(f"camera {name}: {error}") from error
        except BadImage as error:
            raise CameraFailed(f"camera {name}: its picture cannot be read; is the camera on?") from error

    async def _fetch(self, name: str, address: str) -> bytes:
        scheme = urlsplit(address).scheme
        if scheme in ("http", "https"):
            return await self._fetch_snapshot(
                self._unchecked if name in self._unverified else self._checked, address
            )
        if scheme == "file" and is_picture_file(_file_path(address)):
            return await asyncio.to_thread(read_image_bytes, _file_path(address))
        source = str(_file_path(address)) if scheme == "file" else address
        return await asyncio.to_thread(grab_frame, source, timeout_s=self._timeout_s, place=f"camera {name}")

    async def _fetch_snapshot(self, client: httpx.AsyncClient, address: str) -> bytes:
        plain, credentials = _without_credentials(address)
        answer = await _get(client, plain, None)
        if answer.status_code == 401 and credentials is not None:
            # Cameras ask for basic or for digest authentication, and say which.
            digest = answer.headers.get("www-authenticate", "").lower().startswith("digest")
            auth = httpx.DigestAuth(*credentials) if digest else httpx.BasicAuth(*credentials)
            answer = await _get(client, plain, auth)
        if answer.status_code != 200:
            raise _BadAnswer(f"must answer 200 with a picture, got {answer.status_code}")
        return answer.content


async def _get(client: httpx.AsyncClient, address: str, auth: httpx.Auth | None) -> httpx.Response:
    """Get an address; read at most MAX_BYTES of the answer."""
    async with client.stream("GET", address, auth=auth) as answer:
        body = b""
        async for piece in answer.aiter_bytes():
            body += piece
            if len(body) > MAX_BYTES:
                raise _BadAnswer(f"must send at most {MAX_BYTES // 1_000_000} MB")
        return httpx.Response(answer.status_code, content=body, headers=_challenge(answer))


def _challenge(answer: httpx.Response) -> dict[str, str]:
    asked = answer.headers.get("www-authenticate")
    return {"www-authenticate": asked} if asked else {}


class _BadAnswer(Exception):
    """A camera's answer that is not a picture."""


def _file_path(address: str) -> Path:
    return Path(url2pathname(urlsplit(address).path))


def _without_credentials(address: str) -> tuple[str, tuple[str, str] | None]:
    """Split an address into one without user and password, and these."""
    parts = urlsplit(address)
    if parts.username is None:
        return address, None
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=place)), (unquote(parts.username), unquote(parts.password or ""))
