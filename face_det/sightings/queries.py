"""Queries: pages of sightings, unknown people, thumbnails."""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from face_det.errors import BadRequest, UnknownSighting
from face_det.sightings.events import read_cursors
from face_det.sightings.identifiers import unknown_id
from face_det.sightings.mergers import IGNORED_STATE, UNKNOWN_STATE, resolve_person
from face_det.types import UNKNOWN, Box, Encodings, Face, Outcome, Reason

MAX_UNKNOWNS = 1000
"""The most unknown people in one answer."""
MAX_PAGE = 500
_ITEM_COLUMNS = (
    "sighting.*, person.number, person.state FROM sighting LEFT JOIN person ON person.id = sighting.person"
)


@dataclass(frozen=True, slots=True)
class SightingQuery:
    """Which sightings are wanted; None means any. Times are in seconds since 1970.

    `unknown` is the number of an unknown person, or True for all of them. `before` is the time and id of the
    last sighting of the page before.
    """

    since: float | None = None
    until: float | None = None
    camera: str | None = None
    name: str | None = None
    unknown: int | bool | None = None
    outcome: str | None = None
    limit: int = 50
    before: tuple[float, int] | None = None


def find_sightings(connection: sqlite3.Connection, query: SightingQuery) -> dict[str, Any]:
    """Return a page of sightings, newest first, and what the next page starts after (None: there is none)."""
    conditions, values = _conditions(connection, query)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = connection.execute(
        f"SELECT {_ITEM_COLUMNS}{where} ORDER BY sighting.time DESC, sighting.id DESC LIMIT ?",
        (*values, query.limit + 1),
    ).fetchall()
    page = rows[: query.limit]
    more = len(rows) > len(page) > 0
    return {
        "items": [_item(row) for row in page],
        "next": f"{page[-1]['time']!r}:{page[-1]['id']}" if more else None,
    }


def find_sighting(connection: sqlite3.Connection, identifier: int) -> dict[str, Any]:
    """Return a sighting with everything that is kept of it but its pictures; raises UnknownSighting."""
    row = require_sighting(connection, identifier)
    item = _item(row)
    item["camera"], item["caller"] = row["camera"], row["caller"]
    item["track"] = row["track"]
    item["detectorScore"], item["encodingNorm"] = row["score"], row["norm"]
    item["embedder"], item["edited"] = row["fingerprint"], bool(row["edited"])
    item["picture"] = row["picture"] is not None
    item["imageSize"] = _image_size(connection, row["picture"])
    return item


def _image_size(connection: sqlite3.Connection, picture: int | None) -> dict[str, int] | None:
    """Return how large the image of a kept picture was; None if that is not known."""
    row = connection.execute("SELECT width, height FROM picture WHERE id = ?", (picture,)).fetchone()
    return None if row is None or row["width"] is None else dict(row)


def find_encodings(
    connection: sqlite3.Connection, identifiers: Sequence[int], fingerprint: str
) -> dict[int, tuple[Encodings, float | None]]:
    """Return the encodings, shape (dimensions,), and qualities of sightings, by their ids.

    Those that another embedder encoded, or none, are left out.
    """
    marks = ", ".join("?" * len(identifiers))
    rows = connection.execute(
        f"SELECT id, encoding, quality FROM sighting WHERE id IN ({marks})"
        " AND fingerprint = ? AND encoding IS NOT NULL",
        (*identifiers, fingerprint),
    )
    return {
        identifier: (np.frombuffer(encoding, "<f4").astype(np.float64), quality)
        for identifier, encoding, quality in rows
    }


def find_face(connection: sqlite3.Connection, identifier: int) -> tuple[Face, str | None]:
    """Return a sighting's face and the fingerprint of its encoding; raises UnknownSighting.

    Its focus is not kept, and is not a number.
    """
    row = require_sighting(connection, identifier)
    box = Box(row["xmin"], row["ymin"], row["xmax"], row["ymax"])
    encoded = row["encoding"] is not None
    encoding = np.frombuffer(row["encoding"], "<f4").astype(np.float64) if encoded else None
    known = [reason for reason in Reason if reason.value == row["reason"]]
    reason = None if encoded else known[0] if known else Reason.UNRECOGNISED
    face = Face(box, row["score"], math.nan, reason, encoding, norm=row["norm"], quality=row["quality"])
    return face, row["fingerprint"]


def find_thumbnail(connection: sqlite3.Connection, identifier: int) -> bytes:
    """Return the JPEG of a sighting's face; raises UnknownSighting if there is none."""
    row = connection.execute("SELECT jpeg FROM thumbnail WHERE sighting = ?", (identifier,)).fetchone()
    if row is None:
        require_sighting(connection, identifier)
        raise UnknownSighting(f"id: sighting {identifier} has no thumbnail")
    return bytes(row[0])


def find_picture(connection: sqlite3.Connection, identifier: int) -> bytes:
    """Return the JPEG of the whole picture of a sighting; raises UnknownSighting if it was not kept."""
    row = require_sighting(connection, identifier)
    kept = connection.execute("SELECT jpeg FROM picture WHERE id = ?", (row["picture"],)).fetchone()
    if kept is None:
        raise UnknownSighting(
            f"id: the picture of sighting {identifier} was not kept; set sightings.frames to keep them"
        )
    return bytes(kept[0])


def find_unknown_at(connection: sqlite3.Connection, time: float, caller: str, box: Box) -> int | None:
    """Return the number of the unknown person whom a caller's face at a time and place is; None without."""
    row = connection.execute(
        "SELECT person.number FROM sighting JOIN person ON person.id = sighting.person"
        " WHERE sighting.time = ? AND caller = ? AND xmin = ? AND ymin = ? ORDER BY sighting.id DESC LIMIT 1",
        (time, caller, box.xmin, box.ymin),
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def find_unknowns(connection: sqlite3.Connection, limit: int = MAX_UNKNOWNS) -> list[dict[str, Any]]:
    """Return the unknown people who have a number, most often seen first."""
    # Only what the index person_most_seen holds: the rows themselves are much larger.
    rows = connection.execute(
        "SELECT number, sightings, visits, first, last, cameras, best FROM person"
        " WHERE state = 'unknown' AND number IS NOT NULL AND sightings > 0"
        " ORDER BY sightings DESC, id LIMIT ?",
        (limit,),
    )
    return [
        {
            "id": unknown_id(number),
            "sightings": sightings,
            "visits": visits,
            "first": first,
            "last": last,
            "cameras": json.loads(cameras),
            "best": best,
        }
        for number, sightings, visits, first, last, cameras, best in rows
    ]


def require_sighting(connection: sqlite3.Connection, identifier: int) -> sqlite3.Row:
    """Return the row of a sighting; raises UnknownSighting."""
    row: sqlite3.Row | None = connection.execute(
        f"SELECT {_ITEM_COLUMNS} WHERE sighting.id = ?", (identifier,)
    ).fetchone()
    if row is None:
        raise UnknownSighting(f"id: there is no sighting {identifier}; it may have been removed")
    return row


def _conditions(connection: sqlite3.Connection, query: SightingQuery) -> tuple[list[str], list[Any]]:
    plain: Mapping[str, Any] = {
        "sighting.time >= ?": query.since,
        "sighting.time < ?": query.until,
        "sighting.camera = ?": query.camera,
        "sighting.name = ?": query.name,
        "sighting.outcome = ?": query.outcome,
    }
    conditions = [condition for condition, value in plain.items() if value is not None]
    values = [value for value in plain.values() if value is not None]
    if query.unknown is True:
        conditions.append("person.state = 'unknown' AND person.number IS NOT NULL")
    elif query.unknown:
        person = resolve_person(connection, query.unknown)
        conditions.append("sighting.person = ?")
        values.append(-1 if person is None else person["id"])
    if query.before is not None:
        conditions.append("(sighting.time, sighting.id) < (?, ?)")
        values += query.before
    return conditions, values


def parse_cursor(text: str) -> tuple[float, int]:
    """Return the time and id in a page's `next`; raises BadRequest.

    >>> parse_cursor("12.5:7")
    (12.5, 7)
    """
    time, _, identifier = text.partition(":")
    with contextlib.suppress(ValueError):
        place = float(time), int(identifier)
        if math.isfinite(place[0]) and 0 <= place[1] < 2**63:
            return place
    raise BadRequest(f"query.cursor: must be `next` of an earlier page, got {text!r:.60}")


def _item(row: sqlite3.Row) -> dict[str, Any]:
    unknown = row["number"] is not None and row["state"] in (UNKNOWN_STATE, IGNORED_STATE)
    # Answered so where the model has a class of strangers; otherwise there was a reason.
    unnamed_stranger = (
        row["outcome"] == Outcome.UNKNOWN.value and row["name"] is None and row["reason"] is None
    )
    edges = ("ymin", "xmin", "ymax", "xmax")
    return {
        "id": row["id"],
        "time": row["time"],
        "camera": row["camera"],
        "frame": row["frame"],
        "faceBox": {edge: row[edge] for edge in edges},
        "outcome": row["outcome"],
        "face": UNKNOWN if unnamed_stranger else row["name"],
        "faceProba": row["probability"],
        "faceReason": row["reason"],
        "quality": row["quality"],
        "unknown": unknown_id(row["number"]) if unknown else None,
        "visit": row["visit"],
    }


def count_all(connection: sqlite3.Connection, now: float) -> dict[str, Any]:
    """Return how much is kept: sightings, unknown people, megabytes, the last event, and who reads events."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM sighting) AS sightings,"
        " (SELECT count(*) FROM person WHERE state = 'unknown' AND number IS NOT NULL"
        " AND sightings > 0) AS unknowns,"
        " (SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'event') AS last_event"
    ).fetchone()
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    size_mb = round((pages - free) * size / 1e6, 1)
    return {**dict(row), "mb": size_mb, "consumers": read_cursors(connection, now)}
