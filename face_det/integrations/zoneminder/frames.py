"""The frames of an event, from ZoneMinder's folder or its API, also while they are still being written."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from face_det.integrations.zoneminder.portal import Portal

log = logging.getLogger(__name__)

POLL_S = 1.0
DEFAULT_FPS = 10.0
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


def find_folder(events: Path, event: Mapping[str, Any]) -> Path | None:
    """Return the folder of an event below `events`, or None if there is none.

    ZoneMinder says which it is (`FileSystemPath`); otherwise its `Scheme` does: Deep is
    MID/yy/mm/dd/HH/MM/SS, Medium MID/YYYY-MM-DD/EID, Shallow MID/EID.
    """
    mid, eid, start = event.get("MonitorId"), event.get("Id"), start_of(event)
    places = [Path(str(event["FileSystemPath"]))] if event.get("FileSystemPath") else []
    if start is not None:
        deep, medium = start.strftime("%y/%m/%d/%H/%M/%S"), f"{start:%Y-%m-%d}/{eid}"
        by_scheme = {"Deep": deep, "Medium": medium, "Shallow": str(eid)}
        if (rest := by_scheme.get(str(event.get("Scheme")))) is not None:
            places.append(events / str(mid) / rest)
    root = events.resolve()
    for place in places:
        found = place.resolve()
        if found != root and found.is_relative_to(root) and found.is_dir():
            return found
    return None


def frames_per_second(event: Mapping[str, Any]) -> float:
    """Return how many frames of an event are a second.

    >>> frames_per_second({"Frames": "50", "Length": "10.00"})
    5.0
    """
    try:
        fps = float(event["Frames"]) / float(event["Length"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return DEFAULT_FPS
    return fps if 0 < fps < float("inf") else DEFAULT_FPS


async def read_frames(
    portal: Portal, eid: int, folder: Path | None, max_wait_s: float
) -> AsyncIterator[tuple[int, bytes]]:
    """Yield (number, JPEG) of an event's frames, in order, until the event has ended.

    An event that is still being recorded is waited for, for at most `max_wait_s`. Without a folder, or if it
    holds no frames because ZoneMinder keeps a video only, they come from the API. Raises UnknownEvent as soon
    as the event is deleted, and PortalFailed.
    """
    last = 0
    until = time.monotonic() + max_wait_s
    while True:
        ended = has_ended(await portal.event(eid))
        over = ended or time.monotonic() >= until
        if folder is not None:
            numbers = await asyncio.to_thread(_list_captures, folder)
        if folder is None or (ended and not numbers):
            folder, numbers = None, await portal.frame_ids(eid)
        for number in numbers:
            if number <= last:
                continue
            jpeg = await _read(portal, eid, folder, number)
            if jpeg is None or not (over or jpeg.rstrip(b"\0").endswith(_JPEG_END)):
                if over:
                    log.warning("event %s: frame %s is missing", eid, number)
                    continue
                # It is still being written; frames that came after it wait for it, too.
                break
            last = number
            yield number, jpeg
        if over:
            return
        await asyncio.sleep(POLL_S)


async def _read(portal: Portal, eid: int, folder: Path | None, number: int) -> bytes | None:
    if folder is None:
        return await portal.frame(eid, number)
    try:
        return await asyncio.to_thread(_capture(folder, number).read_bytes)
    except FileNotFoundError:
        return None


def _capture(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}-capture.jpg"


def _list_captures(folder: Path) -> list[int]:
    names = (path.name.removesuffix("-capture.jpg") for path in folder.glob("*-capture.jpg"))
    return sorted(int(name) for name in names if name.isdecimal())
