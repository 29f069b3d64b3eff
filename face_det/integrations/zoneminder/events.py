"""Names the people in one event of ZoneMinder."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from face_det.errors import BadImage, BadRequest, Busy, CannotWrite, PortalFailed, SightingsOff, UnknownEvent
from face_det.integrations.daemon import Daemon
from face_det.integrations.zoneminder.frames import (
    find_event_folder,
    frames_per_second,
    has_ended,
    read_event_frames,
    start_of,
)
from face_det.integrations.zoneminder.notes import STRANGER, spell_label, update_notes
from face_det.integrations.zoneminder.people import EventPeople, PersonInEvent, confidence_by_label
from face_det.integrations.zoneminder.portal import Portal
from face_det.media import annotate_answer, encode_jpeg
from face_det.storage import write_atomically

log = logging.getLogger(__name__)

BUSY_PATIENCE_S = 60.0
MAX_PAGE = 500
"""How many sightings are requested at a time."""
OBJECTS = "objects.json"
PICTURE = "objdetect.jpg"
DETECTOR = "face_det"
"""Marks objects.json, and with it objdetect.jpg, as ours."""


@dataclass(frozen=True, slots=True)
class EventReport:
    """The result of processing an event.

    `frames` is how many were looked at, `unreadable` how many could not be, `notes` what ZoneMinder shows
    now, and `unwritten` says what could not be written, and why. `partial` is true if the event was
    still being recorded when waiting for it ended.
    """

    event: int
    monitor: int
    frames: int
    unreadable: int
    people: Sequence[PersonInEvent]
    notes: str
    unwritten: Sequence[str]
    partial: bool

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON-serializable values."""
        return asdict(self)


async def process_event(
    daemon: Daemon,
    portal: Portal,
    eid: int,
    *,
    mid: int | None = None,
    events_path: Path | None = None,
    max_wait_s: float = 120.0,
) -> EventReport:
    """Recognise who is in event `eid`, and write it to its notes, tags, objdetect.jpg and objects.json.

    Doing it again changes nothing. Files are written only into a folder below `events_path`; if that fails,
    the notes still get the names. Raises UnknownEvent if there is no such event, even if it is deleted
    meanwhile, BadRequest if it does not belong to monitor `mid`, PortalFailed, and the daemon's errors.
    """
    event = {**await portal.event(eid), "zone": await portal.time_zone()}
    monitor = int(event["MonitorId"])
    if mid is not None and mid != monitor:
        raise BadRequest(f"event {eid}: must belong to monitor {mid}, but belongs to monitor {monitor}")
    folder = None if events_path is None else await asyncio.to_thread(find_event_folder, events_path, event)
    if folder is None and events_path is not None:
        log.warning("event %s: its folder is not below %s; frames come from the API", eid, events_path)
    seen, counts = EventPeople(), [0, 0]
    options = _follow_options(event, remember=not await _is_remembered(daemon, event))
    async with aclosing(read_event_frames(portal, eid, folder, max_wait_s)) as frames:
        async for number, picture in frames:
            when = {"frame": f"{_frame_prefix(event)}{number}", "time": _time_of(event, number)}
            faces = await _follow(daemon, picture, {**options, **when})
            counts[faces is None] += 1
            seen.add(number, picture, faces or ())
    people = seen.people()
    # Only now, because ZoneMinder itself writes notes while it records.
    event = {**event, **await portal.event(eid)}
    notes, unwritten = str(event.get("Notes") or ""), []
    if counts[0]:
        # Somebody who was renamed meanwhile is in an earlier run's labels only.
        before = () if folder is None else await asyncio.to_thread(_read_labels, folder)
        if folder is not None:
            unwritten = await asyncio.to_thread(_write_files, folder, eid, people, seen)
        notes = await _write_notes(daemon, portal, event, people, before)
        unwritten = [*unwritten, *await _write_tags(portal, eid, people)]
    else:
        # Names are only removed if frames were looked at: without any, nobody can tell who was there.
        log.warning("event %s: has no frame that can be read; its notes stay as they are", eid)
    log.info("event %s of monitor %s: %s frames, %s people", eid, monitor, counts[0], len(people))
    return EventReport(
        eid, monitor, counts[0], counts[1], people, notes, unwritten, partial=not has_ended(event)
    )


async def _write_notes(
    daemon: Daemon,
    portal: Portal,
    event: Mapping[str, Any],
    people: Sequence[PersonInEvent],
    earlier: Sequence[str],
) -> str:
    before = str(event.get("Notes") or "")
    known = [person["name"] for person in await daemon.call("people")]
    names = [spell_label(name) for name in (*known, *earlier)]
    found = {spell_label(label): proba for label, proba in confidence_by_label(people).items()}
    notes = update_notes(before, found, names)
    if notes != before:
        await portal.write_notes(int(event["Id"]), notes)
    return notes


async def _write_tags(portal: Portal, eid: int, people: Sequence[PersonInEvent]) -> list[str]:
    """Tag the event with the names of people, not strangers; return what went wrong."""
    names = dict.fromkeys(spell_label(one.label) for one in people if one.label != STRANGER)
    try:
        if names:
            await portal.tag(eid, names)
    except PortalFailed as error:
        log.warning("event %s: its tags cannot be written: %s", eid, error)
        return [f"tags: {error}"]
    return []


async def _is_remembered(daemon: Daemon, event: Mapping[str, Any]) -> bool:
    """Tell whether the daemon has sightings of this event already, or remembers nobody anyway."""
    query = {"camera": _camera_of(event), "since": _time_of(event, 0) - 1, "limit": MAX_PAGE}
    try:
        while True:
            page = await daemon.call("sightings", query)
            if any(str(item["frame"] or "").startswith(_frame_prefix(event)) for item in page["items"]):
                return True
            if page["next"] is None:
                return False
            query["cursor"] = page["next"]
    except SightingsOff:
        return True


def _frame_prefix(event: Mapping[str, Any]) -> str:
    return f"zoneminder:{event['Id']}:"


def _camera_of(event: Mapping[str, Any]) -> str:
    monitor = event.get("Monitor") or {}
    return str(monitor.get("Name") or f"monitor {event['MonitorId']}")


def _follow_options(event: Mapping[str, Any], *, remember: bool) -> dict[str, Any]:
    return {
        "camera": _camera_of(event),
        "stream": f"zoneminder {event['Id']} {uuid.uuid4().hex}",
        "remember": remember,
    }


def _time_of(event: Mapping[str, Any], frame: int) -> float:
    start = start_of(event)
    began = 0.0 if start is None else start.replace(tzinfo=event["zone"]).timestamp()
    return began + frame / frames_per_second(event)


async def _follow(daemon: Daemon, picture: bytes, options: Mapping[str, Any]) -> Sequence[Any] | None:
    """Return the faces of a frame, or None if it cannot be read."""
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Busy),
        stop=stop_after_delay(BUSY_PATIENCE_S),
        wait=wait_exponential(multiplier=0.1, max=2),
        reraise=True,
    )
    try:
        faces: Sequence[Any] = await retrying(daemon.call, "follow", picture, options)
    except BadImage as error:
        log.warning("%s: %s", options["frame"], error)
        return None
    return faces


def _write_files(folder: Path, eid: int, people: Sequence[PersonInEvent], seen: EventPeople) -> list[str]:
    """Write objdetect.jpg and objects.json, or remove ours if nobody is seen; return what could not be."""
    if not folder.is_dir():
        raise UnknownEvent(f"event {eid}: its folder is gone")
    if seen.best_picture is None:
        return _remove_ours(folder)
    frame, picture, faces = seen.best_picture
    drawn = annotate_answer(picture, faces)
    height, width = drawn.shape[:2]
    about = {
        "labels": [one.label for one in people],
        "boxes": [[round(one.box[side]) for side in ("xmin", "ymin", "xmax", "ymax")] for one in people],
        "frame_id": frame,
        "confidences": [round(one.confidence, 4) for one in people],
        "image_dimensions": {"original": [height, width], "resized": None},
        "detector": DETECTOR,
    }
    unwritten = _write(folder / PICTURE, encode_jpeg(drawn))
    return unwritten + _write(folder / OBJECTS, json.dumps(about).encode())


def _read_ours(folder: Path) -> Mapping[str, Any] | None:
    """Return the objects.json that an earlier run has written, if it did."""
    try:
        about = json.loads((folder / OBJECTS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return about if isinstance(about, dict) and about.get("detector") == DETECTOR else None


def _read_labels(folder: Path) -> list[str]:
    """Return the labels that an earlier run has written."""
    labels = (_read_ours(folder) or {}).get("labels")
    return [one for one in labels if isinstance(one, str)] if isinstance(labels, list) else []


def _remove_ours(folder: Path) -> list[str]:
    """Remove what an earlier run has written; what another detector wrote stays."""
    if _read_ours(folder) is None:
        return []
    unwritten = []
    # The one that says that both are ours goes last.
    for name in (PICTURE, OBJECTS):
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            unwritten.append(f"{folder / name}: shows somebody who is no longer seen: {error.strerror}")
            log.warning("%s", unwritten[-1])
            break
    return unwritten


def _write(path: Path, data: bytes) -> list[str]:
    try:
        write_atomically(path, data)
        # ZoneMinder's web server may run as another user.
        with suppress(OSError):
            path.chmod(0o644)
    except CannotWrite as error:
        log.warning("%s", error)
        return [str(error)]
    return []
