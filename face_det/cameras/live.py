"""Yields the pictures of one camera, however it is reached."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

from face_det.cameras.http_pictures import HttpPictures
from face_det.cameras.sources import CameraPicture, CameraSource
from face_det.cameras.streams import read_stream
from face_det.errors import BadImage, CameraFailed
from face_det.media import is_picture_file, read_image_bytes

TIMEOUT_S = 10.0
"""How long a camera may take to answer, and to send a picture."""


def read_live(
    source: CameraSource, timeout_s: float = TIMEOUT_S, *, once: bool = False
) -> AsyncGenerator[CameraPicture, None]:
    """Yield pictures of a camera for as long as they come: the newest ones, at most `fps` a second.

    A video file begins again at its end, and a picture file is read again and again, unless `once`. Raises
    CameraFailed, which names the camera and never its address, when no more pictures come. Close the
    iterator (`contextlib.aclosing`) to let go of the camera.
    """
    if source.scheme in ("http", "https"):
        return _read_http(source, timeout_s)
    if source.scheme == "file" and is_picture_file(source.path):
        return _read_picture_file(source, once)
    return read_stream(source, timeout_s, loop=source.scheme in ("file", "v4l2") and not once)


async def _read_http(source: CameraSource, timeout_s: float) -> AsyncGenerator[CameraPicture, None]:
    async with (
        HttpPictures(source, timeout_s) as reader,
        contextlib.aclosing(reader.live()) as pictures,
    ):
        async for picture in pictures:
            yield picture


async def _read_picture_file(source: CameraSource, once: bool) -> AsyncGenerator[CameraPicture, None]:
    while True:
        try:
            data = await asyncio.to_thread(read_image_bytes, source.path)
        except BadImage:
            raise CameraFailed(f"camera {source.name}: its picture file cannot be read") from None
        yield CameraPicture(data, time.time())
        if once:
            return
        await asyncio.sleep(1 / source.fps)
