"""The people of a video: tracks of one person become one entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from face_det.tracking.tracks import Track
from face_det.types import Outcome


@dataclass(frozen=True, eq=False, slots=True)
class VideoPerson:
    """A person in a video. `label` is the name, or `unknown-1` and so on; `frames` adds up the tracks'."""

    label: str
    name: str | None
    tracks: tuple[Track, ...]
    first_s: float
    last_s: float
    frames: int
    probability: float | None
    best: Track


def group_tracks(tracks: Sequence[Track], even_distance: float | None) -> list[VideoPerson]:
    """Return the people whom the tracks show, in the order in which they appear."""
    groups: list[list[Track]] = []
    for track in sorted(tracks, key=lambda one: (one.first_s, one.number)):
        for group in groups:
            if _same(group, track, even_distance):
                group.append(track)
                break
        else:
            groups.append([track])
    people = []
    unknown = 0
    for group in groups:
        name = group[0].match.name
        if name is None:
            unknown += 1
        people.append(_person(group, name if name is not None else f"unknown-{unknown}", name))
    return people


def _same(group: Sequence[Track], track: Track, even_distance: float | None) -> bool:
    if any(track.number in other.seen_with for other in group):
        return False
    if track.match.outcome is Outcome.KNOWN or group[0].match.outcome is Outcome.KNOWN:
        return track.match.name == group[0].match.name
    first = group[0].encoding
    if even_distance is None or track.encoding is None or first is None:
        return False
    return float(np.linalg.norm(track.encoding - first)) <= even_distance


def _person(group: Sequence[Track], label: str, name: str | None) -> VideoPerson:
    best = max(group, key=lambda track: track.best.quality or 0.0)
    likely = [track.match.probability for track in group if track.match.probability is not None]
    return VideoPerson(
        label,
        name,
        tuple(group),
        min(track.first_s for track in group),
        max(track.last_s for track in group),
        sum(track.frames for track in group),
        max(likely, default=None),
        best,
    )
