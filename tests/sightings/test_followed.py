"""Faces that the caller follows: one track, at most one unknown person, and one event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from seen import NOON, always, face, names_told, opened, person, picture, rows, value

from face_det.sightings import SeenFace, SeenPicture, SightingStore, read_events
from face_det.sightings.records import pack_picture, unpack_picture

SEEN = "SELECT * FROM event WHERE type = 'seen' ORDER BY seq"
PEOPLE = "SELECT * FROM person WHERE state = 'unknown' ORDER BY id"


def followed(encoding: Any, track: str = "a:1", name: str | None = None, **fields: Any) -> SeenFace:
    return face(encoding, name, **{"track": track, "track_frames": 12, **fields})


def show(one: SightingStore, time: float, *faces: SeenFace, **fields: Any) -> None:
    one.record(picture(*faces, **{"time": NOON + time, **fields}))


def tracks(one: SightingStore) -> list[int]:
    return [row["track"] for row in rows(one, "SELECT track FROM sighting ORDER BY id")]


def test_somebody_who_walks_by_is_one_track_one_unknown_and_one_event(tmp_path: Path) -> None:
    """However different the best frames look; seen again on another day, it is the same person."""
    with opened(tmp_path) as one:
        for take in range(4):
            # So unlike each other that each alone would be somebody else.
            show(one, take, followed(person(1, take, blur=2.0)))
        assert tracks(one) == [1, 1, 1, 1]
        (unknown,) = rows(one, PEOPLE)
        assert (unknown["number"], unknown["sightings"], unknown["visits"]) == (1, 4, 1)
        (event,) = rows(one, SEEN)
        assert (event["outcome"], event["person"]) == ("unknown", unknown["id"])
        show(one, 1000, followed(person(1, 0, blur=2.0), "b:1"))
        assert [row["person"] for row in rows(one, SEEN)] == [unknown["id"]] * 2


def test_frames_without_a_track_are_as_before(tmp_path: Path) -> None:
    """The same faces, of a caller who does not follow them, are four people."""
    with opened(tmp_path) as one:
        for take in range(4):
            show(one, take, face(person(1, take, blur=2.0)))
        assert len(rows(one, PEOPLE)) == 4
        assert value(one, "SELECT count(*) FROM person WHERE number IS NOT NULL") == 0


def test_who_stands_beside_is_somebody_else(tmp_path: Path) -> None:
    """Even if both look alike; a face not remembered this time counts as well. Tracks keep their numbers."""
    with opened(tmp_path) as one:
        show(one, 0, followed(person(1, 0), "a:1"))
        show(one, 1, followed(person(1, 1), "a:2"), beside=("a:1",))
        show(one, 2, followed(person(1, 2), "a:1"), beside=("a:2",))
        assert tracks(one) == [1, 2, 1]
        assert len({row["person"] for row in rows(one, "SELECT person FROM sighting")}) == 2
        # Whoever comes back within the visit goes on with the track of before.
        show(one, 3, followed(person(1, 3), "a:3"), beside=("a:2",))
        assert tracks(one) == [1, 2, 1, 1]


def test_a_stray_first_frame_goes_to_whom_the_track_shows(tmp_path: Path) -> None:
    """The first frame alone founded somebody; a better one shows who it is."""
    with opened(tmp_path) as one:
        for take in range(3):
            show(one, take, face(person(1, take)))
        show(one, 1000, followed(person(7), track_frames=1))
        assert len(rows(one, PEOPLE)) == 2
        show(one, 1001, followed(person(1, 5)))
        (unknown,) = rows(one, PEOPLE)
        assert (unknown["number"], unknown["sightings"], unknown["visits"]) == (1, 5, 2)


def test_a_single_frame_of_a_track_mints_no_number(tmp_path: Path) -> None:
    """Only somebody who was followed for a while, or a face clear enough to found somebody, is numbered."""
    with opened(tmp_path) as one:
        show(one, 0, followed(person(1), "a:1", track_frames=1))
        show(one, 0, followed(person(2), "a:2", norm=6.0, quality=0.1))
        assert [row["number"] for row in rows(one, PEOPLE)] == [None]
        # The decision of whoever follows it stands, and a name is news in any case.
        one.use(always(None), dict, "knows nobody")
        show(one, 1, followed(person(2, 1), "a:2", "anna"))
        assert names_told(one) == ["anna"]
        assert len(rows(one, SEEN)) == 3


def test_old_spools_are_read_and_new_ones_too(tmp_path: Path) -> None:
    """What an older version spooled has no tracks; pictures without any are packed as it packs them."""
    del tmp_path
    plain = pack_picture(picture(face(person(1))))
    fields = msgpack.unpackb(plain)
    assert "beside" not in fields
    assert "track" not in fields["faces"][0]
    assert unpack_picture(plain).faces[0].track is None
    seen: SeenPicture = unpack_picture(pack_picture(picture(followed(person(1)), beside=("a:2",))))
    assert (seen.faces[0].track, seen.faces[0].track_frames, seen.beside) == ("a:1", 12, ("a:2",))
    assert np.array_equal(seen.faces[0].encoding, person(1))


def test_somebody_is_corroborated_once_a_visit(tmp_path: Path) -> None:
    """By frames of one track that agree; by no single pictures, however many; also across a restart."""

    def told(one: SightingStore) -> list[tuple[str, int]]:
        query = "SELECT type, data FROM event WHERE name = 'anna' ORDER BY seq"
        return [(row["type"], json.loads(row["data"])["frames"]) for row in rows(one, query)]

    with opened(tmp_path) as one:
        for take in range(3):
            show(one, take, face(person(1, take), "anna"))
        show(one, 3, followed(person(1, 3), "a:1", "anna"))
        assert told(one) == [("seen", 1)]
    with opened(tmp_path) as one:
        show(one, 4, followed(person(1, 4), "a:1", "anna", agreeing=2))
        assert told(one) == [("seen", 1), ("corroborated", 2)]
    with opened(tmp_path) as one:
        show(one, 5, followed(person(1, 5), "a:2", "anna", agreeing=3))
        assert len(told(one)) == 2
        # Where two agree from the beginning, there is nothing to add.
        show(one, 1000, followed(person(1, 6), "a:3", "anna", agreeing=2))
        show(one, 1001, followed(person(1, 7), "a:3", "anna", agreeing=3))
        assert told(one)[2:] == [("seen", 2)]
        (event,) = one.read(lambda connection: read_events(connection, 0))["events"][2:3]
        assert (event["type"], event["outcome"], event["visit"]) == ("corroborated", "known", 1)


def test_no_picture_agrees_with_what_others_decided(tmp_path: Path) -> None:
    """Several pictures together name somebody whom the last one alone does not."""
    with opened(tmp_path) as one:
        one.use(always("anna"), dict, "knows anna")
        one.flush()
        for step in range(2):
            show(one, step, face(person(1)))
        told = rows(one, SEEN)
    assert [(row["name"], json.loads(row["data"])["frames"]) for row in told] == [(None, 1), ("anna", 0)]
