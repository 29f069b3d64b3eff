"""Events about voices: somebody was heard near a camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from face_det.errors import BadRequest
from face_det.service import sighting_arguments as checked
from face_det.service import wire
from face_det.service.memory import Memory
from face_det.sightings import HEARD, Event, find_heard
from face_det.types import Outcome

_KEYS = ("camera", "time", "remember")
DEFAULT_HEARD, MAX_HEARD = 50, 500


@dataclass(frozen=True, slots=True)
class HearingOptions:
    """Where a recording was made, when it began, and whether events follow from it."""

    camera: str | None = None
    time: float | None = None
    remember: bool = True


def parse_hearing_options(options: object) -> HearingOptions:
    """Parse the options of `recognize_voice`; raises BadRequest with the place of the first fault.

    >>> parse_hearing_options({"camera": "door"}).camera
    'door'
    """
    given = wire.require_options(options, known=_KEYS)
    given = {key: value for key, value in given.items() if value is not None}
    remember = given.get("remember", True)
    if not isinstance(remember, bool):
        raise BadRequest(f"options.remember: must be true or false, got {remember!r:.60}")
    camera = wire.require_text(given["camera"], "options.camera") if "camera" in given else None
    time = checked.require_time(given["time"], "options.time") if "time" in given else None
    return HearingOptions(camera or None, time, remember)


def note_heard(
    memory: Memory, options: HearingOptions, segments: Sequence[Mapping[str, Any]], duration_s: float
) -> None:
    """Write an event for everybody who is heard near a camera: once for each recording.

    Whoever has no name is one event for each outcome, since nobody can tell strangers' voices apart here.
    """
    if options.camera is None or not options.remember:
        return
    began = memory.store.now() - duration_s if options.time is None else options.time
    best: dict[tuple[str, str | None], Mapping[str, Any]] = {}
    for one in segments:
        if one["outcome"] is None:
            continue
        name = one["voice"] if one["outcome"] == Outcome.KNOWN.value else None
        before = best.get((one["outcome"], name))
        if before is None or (one["voiceProba"] or 0.0) > (before["voiceProba"] or 0.0):
            best[one["outcome"], name] = one
    for (outcome, name), one in best.items():
        data = {"probability": one["voiceProba"] if name else None, "speech": one["speech"]}
        event = Event(
            HEARD,
            began + one["begin"],
            camera=options.camera,
            outcome=outcome,
            name=name,
            data=data,
            recorded=memory.store.now(),
        )
        memory.note_of(event)


def list_heard(memory: Memory, query: object = None) -> list[dict[str, Any]]:
    """Return who was heard last, newest first; raises BadRequest."""
    given = wire.require_options(query, known=("camera", "name", "limit"), place="query")
    limit = given.get("limit", DEFAULT_HEARD)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_HEARD:
        raise BadRequest(f"query.limit: must be a number from 1 to {MAX_HEARD}, got {limit!r:.60}")
    texts = {
        key: wire.require_text(given[key], f"query.{key}")
        for key in ("camera", "name")
        if given.get(key) is not None
    }
    name = checked.composed(texts["name"]) if "name" in texts else None
    return memory.store.read(lambda connection: find_heard(connection, limit, texts.get("camera"), name))
