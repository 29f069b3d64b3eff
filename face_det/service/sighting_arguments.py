"""Checks what callers say about sightings: queries, ids, times and names."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

from face_det.errors import BadRequest
from face_det.service import wire
from face_det.sightings import (
    LEASE_S,
    MAX_PAGE,
    MAX_TIME_S,
    Lease,
    SightingQuery,
    parse_cursor,
    unknown_number,
)
from face_det.types import Outcome

QUERY_KEYS = ("since", "until", "camera", "name", "unknown", "outcome", "limit", "cursor")
FOLLOW_KEYS = ("camera", "frame", "time", "remember", "searchFromPx", "stream")
RECOGNIZE_KEYS = ("camera", "frame", "time", "remember", "searchFromPx", "headPose")
DEFAULT_PAGE = 50
MAX_SEARCH_FROM_PX = 10_000
MAX_CONSUMER = 200
MAX_OWNER = 200
MAX_LEASE_S = 600
MAX_COUNTS = 16
NEWEST = "newest"
"""In place of a number, with `cursor`: a consumer that has never set one starts after the newest event."""


class StreamKey(NamedTuple):
    """Whose pictures belong together: the caller's, of one camera and one stream of it."""

    caller: str
    camera: str
    stream: str


def parse_consumer(consumer: object) -> str:
    """Return the name of a consumer of events; raises BadRequest.

    >>> parse_consumer("doorbell")
    'doorbell'
    """
    name = wire.require_text(consumer, "consumer")
    if not 1 <= len(name) <= MAX_CONSUMER:
        raise BadRequest(f"consumer: must have 1 to {MAX_CONSUMER} characters, got {len(name)}")
    return name


def parse_lease(options: object) -> Lease | None:
    """Return the lease that the options of `cursor` ask for, None if none; raises BadRequest.

    >>> parse_lease({"owner": "nuc 1f", "leaseS": 30}).seconds
    30.0
    """
    given = wire.require_options(options, known=("owner", "leaseS", "counts"))
    if not given:
        return None
    owner = wire.require_text(given.get("owner"), "options.owner")
    if not 1 <= len(owner) <= MAX_OWNER:
        raise BadRequest(f"options.owner: must have 1 to {MAX_OWNER} characters, got {len(owner)}")
    seconds = given.get("leaseS", LEASE_S)
    if not (_is_number(seconds) and 0 <= seconds <= MAX_LEASE_S):
        raise BadRequest(f"options.leaseS: must be seconds from 0 to {MAX_LEASE_S}, got {seconds!r:.60}")
    counts = given.get("counts", {})
    if not isinstance(counts, Mapping) or len(counts) > MAX_COUNTS:
        raise BadRequest(f"options.counts: must be an object of at most {MAX_COUNTS}, got {counts!r:.60}")
    for key, count in counts.items():
        wire.require_number(count, f"options.counts.{key!s:.60}")
    return Lease(owner, float(seconds), {str(key)[:60]: count for key, count in counts.items()})


def stream_key(options: Mapping[str, Any], caller: str) -> StreamKey:
    """Return the key of the stream that a picture with these options belongs to."""
    return StreamKey(caller, options.get("camera") or "", options.get("stream") or "")


def composed(name: str) -> str:
    """Return a name as it is compared: there are several ways to write an accent."""
    return unicodedata.normalize("NFC", name)


def parse_query(query: object) -> SightingQuery:
    """Parse the query of `sightings`; raises BadRequest with the place of the first fault.

    >>> parse_query({"camera": "door", "limit": 10, "unknown": "unknown-3"}).unknown
    3
    """
    given = wire.require_options(query, known=QUERY_KEYS, place="query")
    limit = DEFAULT_PAGE if given.get("limit") is None else wire.require_number(given["limit"], "query.limit")
    if not 1 <= limit <= MAX_PAGE:
        raise BadRequest(f"query.limit: must be from 1 to {MAX_PAGE}, got {limit}")
    times: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    for key in ("since", "until"):
        if (value := given.get(key)) is not None:
            times[key] = require_time(value, f"query.{key}")
    for key in ("camera", "name", "outcome", "cursor"):
        if (value := given.get(key)) is not None:
            texts[key] = wire.require_text(value, f"query.{key}")
    if "name" in texts:
        # As names are kept, however they were typed.
        texts["name"] = composed(texts["name"])
    outcomes = [outcome.value for outcome in Outcome]
    if texts.get("outcome", outcomes[0]) not in outcomes:
        raise BadRequest(f"query.outcome: must be one of {', '.join(outcomes)}, got {texts['outcome']!r:.40}")
    cursor = texts.pop("cursor", None)
    before = None if cursor is None else parse_cursor(cursor)
    return SightingQuery(
        **times, **texts, unknown=_parse_unknown(given.get("unknown")), limit=limit, before=before
    )


def require_id(value: object) -> int:
    """Return the id of a sighting; raises BadRequest."""
    return wire.require_number(value, "id")


def require_unknown(value: object, place: str = "id") -> int:
    """Return the number of an unknown person's id; raises BadRequest."""
    number = unknown_number(value) if isinstance(value, str) else None
    if number is None:
        raise BadRequest(
            f"{place}: must be the id of an unknown person, such as unknown-3, got {value!r:.60}"
        )
    return number


def require_time(value: object, place: str) -> float:
    """Return a time in seconds since 1970; raises BadRequest."""
    if not is_time(value):
        raise BadRequest(f"{place}: must be seconds since 1970, got {value!r:.60}")
    assert isinstance(value, (int, float))
    return float(value)


def require_recognize_options(options: object) -> Mapping[str, Any]:
    """Return the options of `recognize`: camera, frame, time (seconds), remember, searchFromPx, headPose.

    Raises BadRequest.

    >>> require_recognize_options({"searchFromPx": 40})
    {'searchFromPx': 40}
    """
    return _require_options(options, RECOGNIZE_KEYS)


def require_follow_options(options: object) -> Mapping[str, Any]:
    """Return the options of `follow`: those of `recognize` but headPose, and stream. Raises BadRequest.

    >>> require_follow_options({"stream": "tab-1"})["stream"]
    'tab-1'
    """
    given = _require_options(options, FOLLOW_KEYS)
    if not (given.get("camera") or given.get("stream")):
        raise BadRequest("options: must have a camera, or a stream of pictures, whose faces are followed")
    return given


def _require_options(options: object, known: tuple[str, ...]) -> Mapping[str, Any]:
    given = wire.require_options(options, known=known)
    for key in ("camera", "frame", "stream"):
        if given.get(key) is not None:
            wire.require_text(given[key], f"options.{key}")
    if given.get("time") is not None:
        require_time(given["time"], "options.time")
    for key in ("remember", "headPose"):
        if key in given and not isinstance(given[key], bool):
            raise BadRequest(f"options.{key}: must be true or false, got {given[key]!r:.60}")
    from_px = given.get("searchFromPx")
    if from_px is not None and not (_is_number(from_px) and 0 <= from_px <= MAX_SEARCH_FROM_PX):
        raise BadRequest(
            f"options.searchFromPx: must be a number of pixels from 0 to {MAX_SEARCH_FROM_PX}, "
            f"got {from_px!r:.60}"
        )
    return given


def _parse_unknown(value: object) -> int | bool | None:
    return value if value is None or value is True else require_unknown(value, "query.unknown")


def is_time(value: object) -> bool:
    """Return whether a value is a time in seconds since 1970."""
    return _is_number(value) and 0 <= value <= MAX_TIME_S  # type: ignore[operator]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
