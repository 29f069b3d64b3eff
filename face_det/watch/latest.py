"""Pictures of a camera that `face-det watch` has opened, where no second program could open it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

from face_det.cameras import CameraPicture, CameraSource, read_live
from face_det.errors import CameraFailed, TryAgain
from face_det.watch.camera import Reader
from face_det.watch.sender import Daemon

SINGLE_CLIENT = ("v4l2", "rtsp", "rtsps")
"""A device can be opened once, and many cameras have one stream. Others answer everybody who asks."""


async def fetch_watched(daemon: Daemon, source: CameraSource) -> CameraPicture | None:
    """Return the latest picture that `face-det watch` sent of such a camera; None: ask the camera itself.

    Where nothing moves, it may be five seconds old.
    """
    if source.scheme not in SINGLE_CLIENT:
        return None
    try:
        found = await daemon.call("camera_picture", source.name)
    except TryAgain:
        return None
    if found is None:
        return None
    return CameraPicture(found["picture"], found["time"], time.monotonic() - found["age_s"])


async def read_watched(
    daemon: Daemon, source: CameraSource, read: Reader = read_live
) -> AsyncGenerator[CameraPicture, None]:
    """Yield a camera's pictures as `read` does or, if `face-det watch` has opened it, those that it sends."""
    picture = await fetch_watched(daemon, source)
    if picture is None:
        async with contextlib.aclosing(read(source)) as pictures:
            async for one in pictures:
                yield one
        return
    before = None
    while picture is not None:
        if picture.time != before:
            yield picture
        before = picture.time
        await asyncio.sleep(1 / source.fps)
        picture = await fetch_watched(daemon, source)
    raise CameraFailed(f"camera {source.name}: `face-det watch` sends no more pictures of it")
