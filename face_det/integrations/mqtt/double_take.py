"""Messages in Double Take's format, for automations on its topics.

https://github.com/jakowenko/double-take#mqtt-1. Unlike there, nothing is retained, and
people who were seen too long ago are not reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from typing import Any

from face_det.integrations.mqtt.discovery import object_id

MATCHES, CAMERAS = "double-take/matches", "double-take/cameras"
UNKNOWN = "unknown"


def person_topic(name: str, people: Collection[str] = ()) -> str:
    """Return where a person is reported; Double Take drops anything but letters, digits and -.

    Who would be taken for a stranger, or for somebody else of `people`, is reported by their `object_id`.

    >>> person_topic("Ann Lee"), person_topic("Zoë")
    ('double-take/matches/Ann-Lee', 'double-take/matches/Zo')
    >>> person_topic("Zoë", ["Zo", "Zoë"]), person_topic("Ольга")
    ('double-take/matches/person_c6a1269858', 'double-take/matches/person_995a67c412')
    """
    plain = _plain(name)
    mistaken = plain != name and any(plain == _plain(other) for other in people if other != name)
    return f"{MATCHES}/{object_id(name) if mistaken or plain.strip('-').lower() in ('', UNKNOWN) else plain}"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "", re.sub(r"\s+", "-", name))


def camera_topic(camera: str) -> str:
    """Return where a camera is reported, by its id in topics.

    >>> camera_topic("Front")
    'double-take/cameras/front'
    """
    return f"{CAMERAS}/{camera.lower()}"


def count_topic(camera: str) -> str:
    """Return where the number of people at a camera is reported.

    >>> count_topic("Front")
    'double-take/cameras/front/person'
    """
    return f"{camera_topic(camera)}/person"


def render_double_take(
    event: Mapping[str, Any],
    camera: str,
    node: str,
    box: Mapping[str, float] | None,
    people: Collection[str] = (),
) -> list[tuple[str, bytes]]:
    """Return the topics and messages about an event of type `seen`, in Double Take's order.

    `camera` is its id in topics, `node` the installation, and `box` where the face is in the picture, in
    pixels, as the daemon gives it (`xmin`, `ymin`, `xmax`, `ymax`). `people` are those enrolled. A repeated
    event has the same `id`.

    >>> event = {"seq": 7, "time": 5.5, "outcome": "known", "name": "Alice", "unknown": None,
    ...          "probability": 0.9, "sighting": 4, "visit": 2}
    >>> messages = render_double_take(event, "front", "home", None)
    >>> [topic for topic, _ in messages]
    ['double-take/matches/Alice', 'double-take/cameras/front']
    """
    face = _describe_face(event, box)
    known, missed = event["outcome"] == "known", event["outcome"] == "uncertain"
    base = {
        "id": f"{node}-{event['seq']}",
        "duration": 0,
        "timestamp": datetime.fromtimestamp(event["time"], timezone.utc)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z"),
        "attempts": 1,
        "camera": camera.lower(),
        "zones": [],
    }
    matches, misses = [face] * known, [face] * missed
    unknowns = [face] * (not known and not missed)
    counts = {"person": 1, "match": len(matches), "miss": len(misses), "unknown": len(unknowns)}
    found: list[tuple[str, object]] = []
    if unknowns:
        found.append((f"{MATCHES}/{UNKNOWN}", {**base, "unknown": face, "unknowns": unknowns}))
    if matches:
        found.append((person_topic(face["name"], people), {**base, "match": face}))
    groups = {"matches": matches, "misses": misses, "unknowns": unknowns}
    found.append((camera_topic(camera), {**base, **groups, "personCount": 1, "counts": counts}))
    return [(topic, json.dumps(message, ensure_ascii=False).encode()) for topic, message in found]


def _describe_face(event: Mapping[str, Any], box: Mapping[str, float] | None) -> dict[str, Any]:
    known = event["outcome"] == "known"
    return {
        "name": event["name"] or UNKNOWN,
        "confidence": round(100 * (event.get("probability") or 0), 2),
        "match": known,
        "box": None if box is None else _in_corners(box),
        "type": "latest",
        "duration": 0,
        "detector": "face_det",
        "filename": None,
        "base64": None,
    }


def _in_corners(box: Mapping[str, float]) -> dict[str, int]:
    top, left = round(box["ymin"]), round(box["xmin"])
    return {
        "top": top,
        "left": left,
        "width": round(box["xmax"]) - left,
        "height": round(box["ymax"]) - top,
    }
