"""Checks what callers say about videos."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from face_det.errors import BadImage, BadRequest, VideoError
from face_det.media import EXPECTED_IMAGE, open_within, resolve_image_path
from face_det.service import wire
from face_det.service.sighting_arguments import require_time

MAX_EVENT_NAME = 1000
DEFAULT_LIMIT_S = 600.0
MAX_LIMIT_S = 6 * 3600.0
MAX_COUNT = 10**9
MAX_FROM_PX = 10_000
_COUNTS = ("eachFrame", "minFrames", "maxFrames", "stopAfterEmptyFrames")
_KEYS = ("eventName", "camera", "time", "remember", "timeLimit", "searchFromPx", *_COUNTS)


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """How a video is looked at.

    - `event`, `camera`, `time`: what the caller calls the event, where it was taken and when it began.
    - `remember`: keep sightings.
    - `limit_s`: how many seconds the call may take.
    - `from_px`: faces from this width on are found; None for the tracker's own.
    - `every`, `dense`: after the first `dense` frames, only every `every`-th is looked at.
    - `max_frames`: how many frames of the video are read.
    - `empty_frames`: after somebody was seen, end when so many frames in a row show nobody.
    """

    event: str | None = None
    camera: str | None = None
    time: float | None = None
    remember: bool = True
    limit_s: float = DEFAULT_LIMIT_S
    from_px: float | None = None
    every: int = 1
    dense: int = 0
    max_frames: int | None = None
    empty_frames: int | None = None


def parse_video_options(options: object) -> VideoOptions:
    """Parse the options of `recognize_video`; raises BadRequest with the place of the first fault.

    >>> parse_video_options({"eventName": "ring", "eachFrame": 3}).every
    3
    """
    given = wire.require_options(options, known=_KEYS)
    given = {key: value for key, value in given.items() if value is not None}
    texts = {
        key: wire.require_text(given[key], f"options.{key}")
        for key in ("eventName", "camera")
        if key in given
    }
    if len(texts.get("eventName", "")) > MAX_EVENT_NAME:
        raise BadRequest(f"options.eventName: must have at most {MAX_EVENT_NAME} characters")
    remember = given.get("remember", True)
    if not isinstance(remember, bool):
        raise BadRequest(f"options.remember: must be true or false, got {remember!r:.60}")
    counts = {key: _require_count(given[key], key) for key in _COUNTS if key in given}
    from_px = given.get("searchFromPx")
    return VideoOptions(
        event=texts.get("eventName"),
        camera=texts.get("camera") or None,
        time=None if "time" not in given else require_time(given["time"], "options.time"),
        remember=remember,
        limit_s=_require_within(given.get("timeLimit", DEFAULT_LIMIT_S), "timeLimit", "seconds", MAX_LIMIT_S),
        from_px=None if not from_px else _require_within(from_px, "searchFromPx", "pixels", MAX_FROM_PX),
        every=counts.get("eachFrame", 1),
        dense=counts.get("minFrames", 0),
        max_frames=counts.get("maxFrames"),
        empty_frames=counts.get("stopAfterEmptyFrames"),
    )


def _require_count(value: object, key: str) -> int:
    least = 0 if key == "minFrames" else 1
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_COUNT:
        raise BadRequest(f"options.{key}: must be a whole number from {least}, got {value!r:.60}")
    return value


def _require_within(value: object, key: str, unit: str, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
        raise BadRequest(f"options.{key}: must be a number of {unit} up to {most:g}, got {value!r:.60}")
    return float(value)


@contextmanager
def open_source(
    video: str | bytes, *, mount_point: str = "", roots: Sequence[Path] = ()
) -> Iterator[tuple[Path, float | None]]:
    """Yield a path to a caller's video, given by its path or bytes, and when the file was last changed.

    The rules for the paths of pictures apply. What is yielded is an open file, so that nothing on its way can
    be swapped meanwhile; bytes are in memory only. Raises VideoError.
    """
    if isinstance(video, bytes):
        with os.fdopen(os.memfd_create("video", os.MFD_CLOEXEC), "wb") as file:
            file.write(video)
            file.flush()
            yield Path(f"/proc/self/fd/{file.fileno()}"), None
        return
    try:
        found = open_within(resolve_image_path(video, mount_point=mount_point, roots=roots), roots)
    except BadImage as error:
        told = str(error).replace(EXPECTED_IMAGE, "a video file")
        raise VideoError(told.replace("the picture", "the video")) from error
    with found as file:
        yield Path(f"/proc/self/fd/{file.fileno()}"), os.fstat(file.fileno()).st_mtime
