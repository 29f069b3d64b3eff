"""What a camera shows now, with the faces named; used by several routes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from face_det.cameras import Cameras
from face_det.gateway.daemon import Daemon
from face_det.media import annotate_answer, encode_jpeg
from face_det.watch import fetch_watched

_LOG = logging.getLogger(__name__)

Answer = Mapping[str, Any]


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """A picture of a camera, the faces in it as the daemon returned them, and when it was taken."""

    camera: str
    picture: bytes
    faces: Sequence[Answer]
    time_s: float


class Views:
    """Asks cameras for pictures and the daemon who is in them; keeps the last annotated picture of each."""

    def __init__(self, cameras: Cameras, daemon: Daemon) -> None:
        self.cameras = cameras
        self._daemon = daemon
        self._last: dict[str, bytes] = {}
        self._newest: str | None = None

    async def fetch_picture(self, camera: str | None) -> tuple[bytes, float]:
        """Return what a camera shows, encoded, and when that was taken, in seconds since 1970.

        A camera that can only be opened once is not opened while `face-det watch` sends its pictures.

        Raises UnknownCamera or CameraFailed.
        """
        source = self.cameras.choose(camera)
        watched = await fetch_watched(self._daemon, source)
        if watched is not None:
            return watched.data, watched.time
        return await self.cameras.fetch_picture(source.name), time.time()

    async def take(self, camera: str | None, *, remember: bool = True, stream: str | None = None) -> View:
        """Fetch a picture and have its faces named; the daemon keeps them as sightings if it is to.

        With `stream`, the faces are followed through the pictures that are taken for it.

        Raises UnknownCamera, CameraFailed, or what the daemon reports.
        """
        name = self.cameras.choose(camera).name
        picture, taken = await self.fetch_picture(name)
        options = {"camera": name, "time": taken, "remember": remember}
        if stream is None:
            faces = await self._daemon.call("recognize", picture, options)
        else:
            faces = await self._daemon.call("follow", picture, {**options, "stream": stream})
        _LOG.info("camera %s: %s faces", name, len(faces))
        return View(name, picture, faces, taken)

    async def annotate(self, view: View) -> bytes:
        """Return the picture with a box and a name on each face, as a JPEG."""
        return await asyncio.to_thread(_annotate, view)

    async def keep(self, camera: str) -> None:
        """Take a view and keep its annotated picture."""
        view = await self.take(camera)
        self._last[view.camera] = await self.annotate(view)
        self._newest = view.camera

    def last(self, camera: str | None) -> bytes | None:
        """Return the last annotated picture that was kept, of one camera or of any; None if there is none."""
        name = self._newest if camera is None else self.cameras.choose(camera).name
        return self._last.get(name) if name is not None else None


def _annotate(view: View) -> bytes:
    return encode_jpeg(annotate_answer(view.picture, view.faces))
