"""The frames of an event, from ZoneMinder's folder or its API, also while they are still being written."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Any

from face_det.integrations.zoneminder.portal import Portal
from face_det.media import encode_jpeg
from face_det.video import open_video

log = logging.getLogger(__name__)

POLL_S = 1.0
DEFAULT_FPS = 10.0
VIDEO_FPS = 10.0
"""How many frames a second of a video are looked at, at most."""
_SAVES_FRAMES = 1
"""The bit of SaveJPEGs for saving every frame, not only analysed ones."""
_JPEG_END = b"\xff\xd9"


def start_of(event: Mapping[str, Any]) -> datetime | None:
    """Return when an event began, in ZoneMinder's local time; None if its row does not say.

    >>> start_of({"StartDateTime": "2026-11-30 06:07:08"})
    datetime.datetime(2026, 11, 30, 6, 7, 8)
    """
    try:
        return datetime.fromisoformat(str(event.get("StartDateTime") or event.get("StartTime")))
    except ValueError:
        return None


def has_ended(event: Mapping[str, Any]) -> bool:
    """Tell whether ZoneMinder has finished recording an event."""
    return bool(event.get("EndDateTime") or event.get("EndTime"))


def find_event_folder(events: Path, event: Mapping[str, Any]) -> Path | None:
    """Return the folder of an event below `events`, or None if there is none.

    ZoneMinder gives it as `FileSystemPath`; otherwise, it follows from its `Scheme`: Deep is
    MID/yy/mm/dd/HH/MM/SS, Medium MID/YYYY-MM-DD/EID, Shallow MID/EID.
    """
    places = [Path(str(event["FileSystemPath"]))] if event.get("FileSystemPath") else []
    if (by_scheme := _place(event)) is not None:
        places.append(events / by_scheme)
    root = events.resolve()
    for place in places:
        found = place.resolve()
        if found != root and found.is_relative_to(root) and found.is_dir():
            return found
    return None


def _place(event: Mapping[str, Any]) -> Path | None:
    """Return where an event's folder is by its scheme, below the folder of all events; None if unknown."""
    start = start_of(event)
    if start is None:
        return None
    eid = str(event.get("Id"))
    deep, medium = start.strftime("%y/%m/%d/%H/%M/%S"), f"{start:%Y-%m-%d}/{eid}"
    rest = {"Deep": deep, "Medium": medium, "Shallow": eid}.get(str(event.get("Scheme")))
    return None if rest is None else Path(str(event.get("MonitorId")), rest)


def frames_per_second(event: Mapping[str, Any]) -> float:
    """Return how many frames a second an event has.

    >>> frames_per_second({"Frames": "50", "Length": "10.00"})
    5.0
    """
    try:
        fps = float(event["Frames"]) / float(event["Length"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return DEFAULT_FPS
    return fps if 0 < fps < float("inf") else DEFAULT_FPS


async def read_event_frames(
    portal: Portal, eid: int, folder: Path | None, max_wait_s: float
) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yield (number, JPEG) of an event's frames, in order, until the event has ended.

    While an event is being recorded, each next frame is waited for, for at most `max_wait_s`. What is not in
    a folder comes from the API, once the event has ended, because only then does ZoneMinder say how many
    frames there are. If ZoneMinder keeps only a video of the event, it is decoded. Raises UnknownEvent as
    soon as the event is deleted, PortalFailed, and VideoError.
    """
    last = 0
    newest_s = time.monotonic()
    while True:
        event = await portal.event(eid)
        over = has_ended(event) or time.monotonic() - newest_s >= max_wait_s
        # Beside a video, there may be a few frames that somebody has viewed on ZoneMinder's page.
        in_folder = folder if _saves_frames(event) else None
        captures = {} if in_folder is None else await asyncio.to_thread(_list_captures, in_folder)
        for number, path in sorted(captures.items()):
            if number <= last:
                continue
            jpeg = await _read_capture(path)
            if jpeg is None or not (over or jpeg.rstrip(b"\0").endswith(_JPEG_END)):
                if over:
                    log.warning("event %s: frame %s is missing", eid, number)
                    continue
                # It is still being written; the frames after it have to wait, too.
                break
            last = number
            yield number, jpeg
            # The time that the caller took for the frame does not count.
            newest_s = time.monotonic()
        if over:
            break
        await asyncio.sleep(POLL_S)
    if last == 0 and has_ended(event):
        others = _read_from_api(portal, event) if _saves_frames(event) else _read_video(portal, event, folder)
        async with aclosing(others):
            async for found in others:
                yield found


def _saves_frames(event: Mapping[str, Any]) -> bool:
    """Tell whether ZoneMinder keeps an event's frames as pictures, not only as a video."""
    saved = event.get("SaveJPEGs")
    return not event.get("DefaultVideo") or saved is None or bool(int(saved) & _SAVES_FRAMES)


async def _read_from_api(portal: Portal, event: Mapping[str, Any]) -> AsyncGenerator[tuple[int, bytes], None]:
    eid = int(event["Id"])
    rows = set(await portal.frame_ids(eid))
    place = _place(event)
    missing = 0
    for number in range(1, max(int(event.get("Frames") or 0), *rows, 0) + 1):
        if number in rows or place is None:
            jpeg = await portal.frame(eid, number)
        else:
            jpeg = await portal.picture(_capture(place, number).as_posix())
        if jpeg is None:
            missing += 1
        else:
            yield number, jpeg
    if missing:
        log.info("event %s: ZoneMinder has no picture of %s frames", eid, missing)


async def _read_video(
    portal: Portal, event: Mapping[str, Any], folder: Path | None
) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yield the frames of an event's video; raises VideoError if not even one can be read."""
    name = str(event["DefaultVideo"])
    path = None if folder is None or Path(name).name != name else folder / name
    with tempfile.NamedTemporaryFile(suffix=Path(name).suffix) as file:
        if path is None or not path.is_file():
            path = Path(file.name)
            await portal.save_video(int(event["Id"]), file)
            file.flush()
        every = max(1, round(frames_per_second(event) / VIDEO_FPS))
        place = f"event {event['Id']}"
        with await asyncio.to_thread(open_video, path, every=every, place=place) as video:
            while (frame := await asyncio.to_thread(next, video, None)) is not None:
                # ZoneMinder's frames are numbered from 1.
                yield frame.index + 1, await asyncio.to_thread(encode_jpeg, frame.rgb)
            if video.problem:
                log.warning("%s: %s", place, video.problem)


async def _read_capture(path: Path) -> bytes | None:
    try:
        return await asyncio.to_thread(path.read_bytes)
    except FileNotFoundError:
        return None


def _capture(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}-capture.jpg"


def _list_captures(folder: Path) -> dict[int, Path]:
    captures = {path.name.removesuffix("-capture.jpg"): path for path in folder.glob("*-capture.jpg")}
    return {int(number): path for number, path in captures.items() if number.isdecimal()}
