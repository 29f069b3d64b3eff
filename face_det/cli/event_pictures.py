"""The frames of an event of ZoneMinder as pictures to extract from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from face_det.config import Config
from face_det.errors import ConfigError
from face_det.extraction import Picture, PictureSource, picture_from_bytes

Frames = AsyncGenerator[tuple[int, bytes], None]


def pictures_in_event(config: Config, eid: int) -> PictureSource:
    """Take the frames of event `eid`, from ZoneMinder's folder or its API, while they are looked at.

    Raises ConfigError if config.json has no `zoneminder`. Taking them raises UnknownEvent, PortalFailed and
    VideoError.
    """
    if config.zoneminder is None:
        raise ConfigError(['zoneminder: is not set; set it to {"url": "http://127.0.0.1/zm"}'])
    return PictureSource(_take(config, eid))


def _take(config: Config, eid: int) -> Iterator[Picture]:
    loop = asyncio.new_event_loop()
    frames = _read(config, eid)
    visit = f"zoneminder event {eid}"
    try:
        while True:
            try:
                number, data = loop.run_until_complete(frames.__anext__())
            except StopAsyncIteration:
                return
            yield picture_from_bytes(f"{visit}#{number}", visit, data, max_pixels=config.max_pixels)
    finally:
        loop.run_until_complete(frames.aclose())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _read(config: Config, eid: int) -> Frames:
    from face_det.integrations import Portal, ServerSettings, find_event_folder, read_event_frames

    about = config.zoneminder
    assert about is not None
    settings = ServerSettings(about.url, about.user, about.password_file, about.verify_tls, about.timeout)
    async with Portal(settings) as portal:
        event = await portal.event(eid)
        folder = None
        if about.events_path is not None:
            folder = await asyncio.to_thread(find_event_folder, about.events_path, event)
        async with aclosing(read_event_frames(portal, eid, folder, about.max_wait)) as frames:
            async for found in frames:
                yield found
