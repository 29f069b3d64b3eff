"""Of a face that is followed, a few frames are remembered, whoever it is and however long it stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from seen import FINGERPRINT, NOON, FakeTime, opened, person, rows

from face_det.service import Memory
from face_det.service.best_frames import BestFrames, Moment, no_picture
from face_det.sightings import SightingStore
from face_det.tracking import Track, TrackedFace
from face_det.types import Box, Face, Match, Outcome, Reason

STRANGER = Match(None, 0.2, Reason.UNRECOGNISED, Outcome.UNKNOWN)
ANNA = Match("anna", 0.95, None, Outcome.KNOWN)
HERE = Box(10, 10, 90, 90)


def moment(time: float, **fields: Any) -> Moment:
    known = {"camera": "door", "caller": "uid 1", "frame": None, "fingerprint": FINGERPRINT}
    return Moment(NOON + time, **{**known, "picture": no_picture, **fields})


def encoded(quality: float = 0.9, seed: int = 1, take: int = 0) -> Face:
    encoding = person(seed, take).astype(float)
    return Face(HERE, 0.9, 100.0, None, encoding, norm=15.0, quality=quality)


def tracked(
    face: Face | None, match: Match = STRANGER, track: int = 1, frames: int = 10, agreeing: int = 0
) -> TrackedFace:
    return TrackedFace(track, HERE, face, match, False, frames, agreeing)


@pytest.fixture
def clock() -> FakeTime:
    return FakeTime()


@pytest.fixture
def store(tmp_path: Path, clock: FakeTime) -> Iterator[SightingStore]:
    with opened(tmp_path, clock) as found:
        yield found


@pytest.fixture
def best(store: SightingStore) -> BestFrames:
    memory = Memory(store)
    return BestFrames(lambda: memory)


def times(store: SightingStore) -> list[float]:
    return [round(row["time"] - NOON, 3) for row in rows(store, "SELECT time FROM sighting ORDER BY id")]


def test_a_stranger_is_remembered_once_settled(store: SightingStore, best: BestFrames) -> None:
    """By the best of the first second, though it is not the last; a name is remembered at once."""
    for time, quality in ((0.0, 0.5), (0.3, 0.8), (0.6, 0.6), (0.9, 0.7)):
        best.add([tracked(encoded(quality))], moment(time))
    assert times(store) == []
    best.add([tracked(None), tracked(encoded(), ANNA, 2)], moment(1.1))
    assert times(store) == [0.3, 1.1]
    assert len({row["track"] for row in rows(store, "SELECT track FROM sighting")}) == 2


def test_a_second_frame_that_agrees_is_remembered(store: SightingStore, best: BestFrames) -> None:
    """Though it is no better, so that an event can say so; a third is not, nor any of a stranger."""
    for time, agreeing in ((0.0, 1), (0.2, 1), (0.4, 2), (0.6, 3)):
        best.add([tracked(encoded(), ANNA, agreeing=agreeing)], moment(time))
    assert times(store) == [0, 0.2]
    best.add([tracked(encoded(seed=2), track=2, agreeing=1)], moment(2))
    best.add([tracked(encoded(seed=2), track=2, agreeing=2)], moment(3.1))
    best.add([tracked(encoded(seed=2), track=2, agreeing=3)], moment(3.3))
    assert times(store) == [0, 0.2, 2]
    events = rows(store, "SELECT type, name, data FROM event WHERE sighting IS NOT NULL ORDER BY seq")
    told = [(row["type"], row["name"], json.loads(row["data"])["frames"]) for row in events]
    assert told == [("seen", "anna", 1), ("corroborated", "anna", 2), ("seen", None, 2)]


def test_the_frames_of_a_video_corroborate_nobody(store: SightingStore) -> None:
    """Whoever is seen in one stands before no door, however many frames agree, at its end or before."""
    memory = Memory(store)
    best = BestFrames(lambda: memory, live=False)
    best.add([tracked(encoded(), ANNA, agreeing=1)], moment(0))
    best.add([tracked(encoded(seed=2), replace(ANNA, name="bob"), 2, agreeing=3)], moment(1))
    best.add([tracked(encoded(), ANNA, agreeing=3)], moment(2))
    events = rows(store, "SELECT type, name, data FROM event WHERE sighting IS NOT NULL ORDER BY seq")
    told = [(row["type"], row["name"], json.loads(row["data"])["frames"]) for row in events]
    assert told == [("seen", "anna", 0), ("seen", "bob", 0)]


def test_whoever_leaves_at_once_is_remembered_at_the_end(store: SightingStore, best: BestFrames) -> None:
    """Not if the caller asked for nothing to be remembered, or no face was encoded."""
    best.add([tracked(encoded())], moment(0))
    best.add([tracked(encoded(), track=2)], moment(0, remember=False))
    best.add([tracked(None, track=3)], moment(0))
    ended = [
        Track(number, NOON, NOON + 0.2, 3, STRANGER, encoded(), NOON, None, None) for number in (1, 2, 3)
    ]
    best.end(ended)
    best.end(ended)
    assert times(store) == [0]


def test_few_frames_however_long_somebody_stands_there(store: SightingStore, best: BestFrames) -> None:
    """Only clearly better ones, and other answers, each a few times."""
    for step in range(600):
        quality = min(0.3 + step / 100, 0.95) if step % 2 else 0.2
        best.add([tracked(encoded(quality, take=step))], moment(step / 10))
    assert 2 <= len(times(store)) <= 4
    before = len(times(store))
    for step in range(40):
        best.add([tracked(encoded(0.5), ANNA if step % 2 else STRANGER)], moment(60 + step))
    assert len(times(store)) <= before + 4
    assert {row["number"] for row in rows(store, "SELECT number FROM person")} <= {1, None}
    events = rows(store, "SELECT outcome FROM event WHERE type = 'seen' ORDER BY seq")
    assert [row["outcome"] for row in events] == ["unknown", "known"]


def test_a_visit_lasts_while_somebody_is_there(
    store: SightingStore, best: BestFrames, clock: FakeTime
) -> None:
    """An hour at most: then another begins, with a picture of now. It ends when nobody is there any more."""
    for step in range(0, 7200, 10):
        best.add([tracked(encoded() if step % 20 == 0 else None)], moment(step))
        clock.go_on(10)
        store.flush()
    visits = rows(store, "SELECT begun, last FROM visit ORDER BY id")
    assert [(round(row["begun"] - NOON, -2), round(row["last"] - NOON, -2)) for row in visits] == [
        (0, 3600),
        (3600, 7200),
    ]
    assert len(times(store)) == 2
