"""Frigate's description of an event, which is one object that it tracks: over MQTT, and over HTTP."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from face_det.types import Box

PERSON = "person"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Ids become parts of URLs; Frigate's are a time and six letters or digits."""


@dataclass(frozen=True, slots=True)
class PathPoint:
    """Where the middle of an object's lower edge was at `time`, as fractions of the frame (0..1)."""

    time: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class FrigateEvent:
    """One tracked object. Times are seconds since 1970; `end` is None while it is there.

    `box` is where it is in the newest frame, `snapshot_box` where it is in Frigate's best picture, which is
    of `snapshot_time`: both in pixels of the frames that Frigate detects on, and only over MQTT. `share` is
    the box of the best picture as fractions of the frame (0..1); it and `path` come only over HTTP.
    """

    id: str
    camera: str
    label: str
    start: float
    end: float | None
    zones: tuple[str, ...]
    sub_label: str | None
    has_clip: bool
    stationary: bool = False
    false_positive: bool = False
    box: Box | None = None
    snapshot_time: float | None = None
    snapshot_box: Box | None = None
    share: Box | None = None
    path: tuple[PathPoint, ...] = ()

    def concerns(self, cameras: Collection[str], zones: Collection[str]) -> bool:
        """Tell whether it is a person, of one of these cameras, who was in one of these zones; () means any.

        >>> parse_row({"id": "1.5-a", "camera": "front", "label": "person", "start_time": 1.5,
        ...            "zones": ["yard"]}).concerns(cameras=("front",), zones=("street",))
        False
        """
        return (
            self.label == PERSON
            and not self.false_positive
            and (not cameras or self.camera in cameras)
            and (not zones or not set(zones).isdisjoint(self.zones))
        )


def parse_message(payload: bytes) -> FrigateEvent | None:
    """Return the event in a message at `frigate/events`, or None if there is none.

    >>> parse_message(b'{"type": "end", "after": {"id": "1.5-a", "camera": "front", "label": "person",'
    ...               b' "start_time": 1.5, "end_time": 9.5, "sub_label": ["Alice", 0.9]}}').sub_label
    'Alice'
    >>> parse_message(b"hello")
    """
    try:
        after = json.loads(payload)["after"]
        snapshot = after.get("snapshot") or {}
        event = _parse(after, after.get("entered_zones"))
        # Until 0.13, only the time of the snapshot was given, under another name.
        time = snapshot.get("frame_time") or after.get("snapshot_time")
        return FrigateEvent(
            **event,
            stationary=bool(after.get("stationary")),
            false_positive=bool(after.get("false_positive")),
            box=_box(after.get("box")),
            snapshot_time=_number(time) if time else None,
            snapshot_box=_box(snapshot.get("box")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def parse_row(row: Mapping[str, Any]) -> FrigateEvent:
    """Return the event in a row of the API's answer; raises ValueError if it is not one."""
    try:
        data = row.get("data") or {}
        event = _parse(row, row.get("zones"))
        # [x, y, width, height]; until 0.11 beside `data`.
        share = data.get("box") or row.get("box")
        left, top, width, height = map(_number, share) if share else (0.0, 0.0, 0.0, 0.0)
        path = tuple(
            PathPoint(_number(time), _number(x), _number(y)) for (x, y), time in data.get("path_data") or ()
        )
        return FrigateEvent(
            **event,
            false_positive=bool(row.get("false_positive")),
            share=Box(left, top, left + width, top + height) if width and height else None,
            path=path,
        )
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"must be an event of Frigate: {error}") from error


def _parse(row: Mapping[str, Any], zones: Sequence[str] | None) -> dict[str, Any]:
    if _ID.fullmatch(row["id"]) is None:
        raise ValueError("no id")
    # Over MQTT, a sub label comes with its score.
    sub_label = row.get("sub_label")
    if isinstance(sub_label, list):
        sub_label = sub_label[0] if sub_label else None
    end = row.get("end_time")
    return {
        "id": row["id"],
        "camera": str(row["camera"]),
        "label": str(row["label"]),
        "start": _number(row["start_time"]),
        "end": None if end is None else _number(end),
        "zones": tuple(map(str, zones or ())),
        "sub_label": str(sub_label) if sub_label else None,
        "has_clip": bool(row.get("has_clip")),
    }


def _box(corners: Sequence[float] | None) -> Box | None:
    return None if not corners else Box(*map(_number, corners))


def _number(value: Any) -> float:
    """Return a number; raise ValueError for one that JSON does not know, but Python reads: NaN, Infinity."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"must be a finite number, got {number}")
    return number
