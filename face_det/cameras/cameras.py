"""Asks a camera for a picture: a snapshot over http, a frame of a stream, or a file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from face_det.cameras.http_pictures import HttpPictures
from face_det.cameras.live import TIMEOUT_S
from face_det.cameras.sources import CameraSource, choose_source
from face_det.cameras.streams import START_S, read_stream
from face_det.errors import BadImage, CameraFailed
from face_det.media import is_picture_file, read_image_bytes


class Cameras:
    """The cameras by name; an asynchronous context manager.

    The first one is asked if no name is given. Errors name a camera, never its address, which may contain a
    password.
    """

    def __init__(self, sources: Mapping[str, CameraSource], *, timeout_s: float = TIMEOUT_S) -> None:
        self._sources = dict(sources)
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

    def choose(self, name: str | None) -> CameraSource:
        """Return a camera that exists; the default one for None. Raises UnknownCamera."""
        return choose_source(self._sources, name)

    async def fetch_picture(self, name: str | None = None) -> bytes:
        """Return the encoded picture that a camera takes now.

        Raises UnknownCamera for a name that is not configured, CameraFailed if the camera does not answer
        with a picture in time.
        """
        source = self.choose(name)
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
