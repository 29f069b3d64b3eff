"""Sightings without a name that are erased with a person: those that the decision gives the name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from seen import FINGERPRINT, face, opened, person, picture, rows

from face_det.sightings import Author, SightingStore, erase_name, ignore_unknown
from face_det.types import Match, Outcome, Reason

NAME = "Anna"
CENTRE = person(1, blur=0.0)


def decide(
    fingerprint: str, encodings: Sequence[npt.NDArray[np.float64]], qualities: Sequence[float | None]
) -> list[Match] | None:
    """Name what is very like one encoding."""
    if fingerprint != FINGERPRINT:
        return None
    nobody = Match(None, 0.1, Reason.UNRECOGNISED, Outcome.UNKNOWN)
    anna = Match(NAME, 0.9, None, Outcome.KNOWN)
    return [anna if one @ CENTRE / np.linalg.norm(one) > 0.9 else nobody for one in encodings]


def forget(one: SightingStore) -> tuple[int, int, int]:
    erased = one.erase(lambda connection: erase_name(connection, one.people, NAME, 9.0, decide))
    return erased.sightings, erased.recognised, erased.not_compared


def show(one: SightingStore, encoding: npt.NDArray[np.float32] | None, camera: str, **fields: object) -> None:
    one.record(picture(face(encoding), camera=camera, **fields))


def left(one: SightingStore) -> list[str]:
    return [row["camera"] for row in rows(one, "SELECT camera FROM sighting ORDER BY id")]


def test_a_group_that_is_the_person_goes_as_a_whole(tmp_path: Path) -> None:
    """None of its faces alone is clear enough; all of them together are, as in one visit."""
    with opened(tmp_path) as one:
        for take in range(6):
            show(one, person(1, take, blur=0.7), f"door {take}")
        show(one, person(2, 0), "garden")
        show(one, person(2, 1), "garden")
        assert len(rows(one, "SELECT * FROM person WHERE number IS NOT NULL")) == 2
        assert decide(FINGERPRINT, [person(1, take, blur=0.7) for take in range(6)], [])[0].name is None
        assert forget(one) == (6, 6, 0)
        assert left(one) == ["garden", "garden"]
        assert [row["number"] for row in rows(one, "SELECT number FROM person")] == [2]


def test_one_face_of_a_group_goes_alone(tmp_path: Path) -> None:
    """The others are not like the person; nor is anybody of whom a user has said who it is."""
    with opened(tmp_path) as one:
        show(one, person(2, 0), "garden")
        show(one, person(2, 1), "garden")
        show(one, person(1, 0), "door", frame="hers")
        one.write(lambda connection: connection.execute("UPDATE sighting SET person = 1"))
        assert forget(one) == (1, 1, 0)
        assert left(one) == ["garden", "garden"]


def test_who_is_ignored_stays(tmp_path: Path) -> None:
    """A user has said that it is somebody else, whose face is like hers."""
    with opened(tmp_path) as one:
        show(one, person(1, 0), "door")
        show(one, person(1, 1), "door")
        one.write(lambda connection: ignore_unknown(connection, 1, Author("uid 1", 5.0)))
        assert forget(one) == (0, 0, 0)
        assert left(one) == ["door", "door"]


def test_what_cannot_be_compared_is_counted(tmp_path: Path) -> None:
    """Faces that were not encoded, or by another embedder, may be anybody's: they stay."""
    with opened(tmp_path) as one:
        show(one, None, "door")
        show(one, person(1), "door", fingerprint="sface:other")
        one.record(picture(face(None, "Bert"), camera="garden"))
        assert forget(one) == (0, 0, 2)
        assert left(one) == ["door", "door", "garden"]
