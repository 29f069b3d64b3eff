"""Asks a camera for a picture: a snapshot over http, a frame of a stream, or a file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping

from face_det.cameras.http_pictures import HttpPictures
from face_det.cameras.live import TIMEOUT_S
from face_det.cameras.sources import CameraSource
from face_det.cameras.streams import START_S, read_stream
from face_det.errors import BadImage, CameraFailed, UnknownCamera
from face_det.media import is_picture_file, read_image_bytes


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
        self._sources = {
            name: CameraSource(name, address, verify_tls=name not in unverified)
            for name, address in addresses.items()
        }
        self._timeout_s = timeout_s
        self._readers: dict[str, HttpPictures] = {}

    async def __aenter__(self) -> Cameras:
        """Return the cameras; connections are made when they are needed."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close the connections."""
        for reader in self._readers.values():
            await reader.__aexit__()
        self._readers.clear()

    @property
    def names(self) -> tuple[str, ...]:
        """The cameras' names, the default one first."""
        return tuple(self._sources)

    def resolve(self, name: str | None) -> str:
        """Return the name of a camera that exists; the default one for None. Raises UnknownCamera."""
        if not self._sources:
            raise UnknownCamera("cameras: none is configured; add one to `cameras` in config.json")
        if name is None:
            return next(iter(self._sources))
        if name not in self._sources:
            raise UnknownCamera(f"camera: must be one of {', '.join(self._sources)}, got {name[:100]!r}")
        return name

    async def fetch_picture(self, name: str | None = None) -> bytes:
        """Return the encoded picture that a camera takes now.

        Raises UnknownCamera for a name that is not configured, CameraFailed if the camera does not answer
        with a picture in time.
        """
        source = self._sources[self.resolve(name)]
        streams = source.scheme not in ("http", "https", "file")
        limit_s = 2 * self._timeout_s + (START_S if streams or source.scheme == "file" else 0)
        try:
            return await asyncio.wait_for(self._fetch(source), limit_s)
        except asyncio.TimeoutError:
            raise CameraFailed(
                f"camera {source.name}: must send a picture within {self._timeout_s:g} s"
            ) from None
        except BadImage:
            raise CameraFailed(
                f"camera {source.name}: its picture cannot be read; is the camera on?"
            ) from None

    async def _fetch(self, source: CameraSource) -> bytes:
        if source.scheme in ("http", "https"):
            if source.name not in self._readers:
                self._readers[source.name] = HttpPictures(source, self._timeout_s)
            return await self._readers[source.name].first()
        if source.scheme == "file" and is_picture_file(source.path):
            return await asyncio.to_thread(read_image_bytes, source.path)
        async with contextlib.aclosing(read_stream(source, self._timeout_s)) as pictures:
            async for picture in pictures:
                return picture.data
        raise CameraFailed(f"camera {source.name}: its stream ended")
