"""The tracks of a video become people."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from toy_faces import FINGERPRINT, toy_encoding

from face_det.tracking import Track, group_tracks
from face_det.types import Box, Face, Match, Outcome, Reason

STRANGER = Match("Unknown", 0.9, None, Outcome.UNKNOWN)
UNSURE = Match(None, None, Reason.UNRECOGNISED, Outcome.UNCERTAIN)


def named(name: str, probability: float = 0.9) -> Match:
    return Match(name, probability, None, Outcome.KNOWN)


def track(
    number: int,
    person: int,
    match: Match = STRANGER,
    seen_with: Iterable[int] = (),
    quality: float = 0.95,
    fingerprint: str = FINGERPRINT,
) -> Track:
    """A track of three seconds that begins at its number."""
    encoding = toy_encoding(person, number)
    face = Face(Box(0, 0, 40, 40), 0.9, 100.0, None, encoding, 12.0, quality)
    return Track(
        number, number, number + 3, 30, match, face, number, encoding, 12.0, fingerprint, frozenset(seen_with)
    )


def test_the_tracks_of_one_name_are_one_person() -> None:
    """With all its frames, from the first to the last, and the best track."""
    best = track(3, 1, named("Anna", 0.99), quality=0.99)
    (anna, bob) = group_tracks([track(1, 1, named("Anna")), best, track(2, 2, named("Bob"))], None)
    assert (anna.label, anna.name, anna.frames, anna.first_s, anna.last_s) == ("Anna", "Anna", 60, 1, 6)
    assert (anna.probability, anna.best) == (0.99, best)
    assert bob.label == "Bob"


def test_of_two_seen_at_once_the_likelier_has_the_name() -> None:
    """The other one is a stranger."""
    people = group_tracks(
        [track(1, 1, named("Anna", 0.7), seen_with=[2]), track(2, 2, named("Anna", 0.95), seen_with=[1])],
        None,
    )
    assert [(one.label, one.name, one.tracks[0].number) for one in people] == [
        ("unknown-1", None, 1),
        ("Anna", "Anna", 2),
    ]
    assert people[0].tracks[0].match.outcome is Outcome.UNCERTAIN
    assert people[0].tracks[0].match.candidates[0].name == "Anna"


def test_the_tracks_of_a_stranger_are_one_entry() -> None:
    """Two strangers are two, and so are two faces that resemble each other in one frame."""
    tracks = [track(1, 5), track(2, 6), track(3, 5), track(4, 5), track(5, 6, UNSURE)]
    people = group_tracks(tracks, None)
    assert [[one.number for one in person.tracks] for person in people] == [[1, 3, 4], [2, 5]]
    assert [person.label for person in people] == ["unknown-1", "unknown-2"]
    twins = [track(1, 5, seen_with=[2]), track(2, 5, seen_with=[1])]
    assert len(group_tracks(twins, None)) == 2


def test_a_poor_track_is_nobody() -> None:
    """It founds no unknown person, but may be one of somebody who is seen clearly elsewhere."""
    poor = track(2, 5, UNSURE, quality=0.3)
    assert group_tracks([poor, track(4, 6, UNSURE, quality=0.02)], None) == []
    assert len(group_tracks([track(4, 6, UNSURE, quality=0.6)], None)) == 1
    (person,) = group_tracks([poor, track(3, 5)], None)
    assert [one.number for one in person.tracks] == [2, 3]


def test_a_known_person_seen_without_a_name_founds_no_stranger() -> None:
    """Later she turns away, and resembles herself enough to be no stranger."""
    (anna,) = group_tracks([track(1, 1, named("Anna")), track(2, 1, UNSURE)], None)
    assert [one.number for one in anna.tracks] == [1, 2]


def test_other_embedders_go_by_the_even_distance() -> None:
    """Without one, no two unknown tracks are joined."""
    tracks = [track(number, person, fingerprint="toy:1") for number, person in ((1, 5), (2, 6), (3, 5))]
    assert len(group_tracks(tracks, None)) == 3
    assert [len(person.tracks) for person in group_tracks(tracks, 0.9)] == [2, 1]
    assert group_tracks([], 0.9) == []


@pytest.mark.parametrize("seed", range(5))
def test_the_order_does_not_matter(seed: int) -> None:
    """The same tracks give the same people."""
    tracks = [track(number, 5 + number % 4) for number in range(1, 17)]
    shuffled = [tracks[at] for at in np.random.default_rng(seed).permutation(len(tracks))]
    expected = [[one.number for one in person.tracks] for person in group_tracks(tracks, None)]
    assert [[one.number for one in person.tracks] for person in group_tracks(shuffled, None)] == expected
    assert len(expected) == 4
