"""Frames out of the daemon's memory: the pictures whose paths callers sent, with the faces seen in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from face_det.tuning.frames import FrameFilter, MalformedRecord, RecordedFrame, StoredLabel, in_order
from face_det.types import Box

PAGE = 500
"""How many sightings are asked for at once."""

AskForSightings = Callable[[dict[str, Any]], dict[str, Any]]
"""The verb `sightings`: takes a query, and returns {items, next}, newest first."""


def sighting_frames(ask: AskForSightings, wanted: FrameFilter) -> Iterator[RecordedFrame | MalformedRecord]:
    """Yield a frame for each picture in which somebody was seen, with the answers that were remembered.

    Sightings without a picture's path, such as those of cameras, are yielded as malformed: there is nothing
    to look at again. Raises what `ask` raises.
    """
    labels: dict[str, list[StoredLabel]] = {}
    for sighting in _sightings(ask):
        path = sighting.get("frame")
        if not isinstance(path, str) or "/" not in path:
            yield MalformedRecord(str(sighting["id"]), f"frame: must be a path, got {path!a:.60}")
            continue
        box = Box(**{edge: float(sighting["faceBox"][edge]) for edge in ("xmin", "ymin", "xmax", "ymax")})
        label = StoredLabel("face", box, sighting.get("face"), judged=True, is_face=True)
        labels.setdefault(path, []).append(label)
    frames = (RecordedFrame(path, path, tuple(seen)) for path, seen in labels.items())
    fitting = (frame for frame in frames if _shows(frame, wanted.face))
    yield from in_order(fitting, wanted)


def _shows(frame: RecordedFrame, face: str | None) -> bool:
    return face is None or any(label.face == face for label in frame.labels)


def _sightings(ask: AskForSightings) -> Iterator[dict[str, Any]]:
    cursor = None
    while True:
        query = {"limit": PAGE, **({} if cursor is None else {"cursor": cursor})}
        answer = ask(query)
        yield from answer["items"]
        cursor = answer["next"]
        if cursor is None:
            return
