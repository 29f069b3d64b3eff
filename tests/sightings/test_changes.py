"""What users change: it stays, it can be undone, and two faces of one picture are not one person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from seen import NOON, face, opened, person, picture, rows, value

from face_det.errors import BadRequest, UnknownSighting
from face_det.sightings import (
    Author,
    EnrolledPhoto,
    SightingStore,
    find_unknowns,
    ignore_unknown,
    merge_unknowns,
    name_sighting,
    name_unknown,
    read_negatives,
    split_unknown,
    undo_change,
)

AUTHOR = Author("uid 1", NOON)


def change(one: SightingStore, verb: Any, *arguments: Any) -> Any:
    def run(connection: Any) -> Any:
        done = verb(connection, *arguments, AUTHOR)
        one.people.reload(connection)
        return done

    return one.write(run)


def correct(one: SightingStore, sighting: int, name: str | None) -> Any:
    return change(one, name_sighting, one.people, sighting, name, [])


def show(one: SightingStore, seed: int, takes: range, name: str | None = None, **fields: Any) -> None:
    for take in takes:
        known = {"camera": str(seed), "time": NOON + take}
        one.record(picture(face(person(seed, take), name), **{**known, **fields}))
    one.flush()


def table(one: SightingStore) -> list[dict[str, Any]]:
    """What undoing must bring back: whose every sighting is, and what is counted of everybody."""
    query = "SELECT id, person, shapes, name, outcome, probability, reason, edited FROM sighting ORDER BY id"
    return rows(one, query) + rows(
        one,
        "SELECT id, number, state, name, sightings, shaping, sum, visits, best FROM person"
        " WHERE state != 'merged' AND sightings > 0 ORDER BY id",
    )


def numbers(one: SightingStore) -> list[str]:
    return sorted(unknown["id"] for unknown in one.read(find_unknowns))


def test_cameras_follow_the_sightings(tmp_path: Path) -> None:
    """The one that saw somebody most comes first, whatever is merged, split and undone."""

    def cameras() -> dict[str, list[str]]:
        return {unknown["id"]: unknown["cameras"] for unknown in one.read(find_unknowns)}

    with opened(tmp_path) as one:
        show(one, 1, range(2), camera="yard")
        show(one, 1, range(2, 3), camera="door")
        show(one, 1, range(3, 4), camera=None)
        show(one, 2, range(3), camera="door")
        apart = {"unknown-1": ["yard", "door"], "unknown-2": ["door"]}
        assert cameras() == apart
        done = change(one, merge_unknowns, [1, 2])
        assert cameras() == {"unknown-1": ["door", "yard"]}
        change(one, undo_change, done.change)
        assert cameras() == apart
        change(one, split_unknown, 1, [3])
        assert cameras() == {"unknown-1": ["yard"], "unknown-2": ["door"], "unknown-3": ["door"]}


def test_a_merger_can_be_undone(tmp_path: Path) -> None:
    """The older number survives, the other one leads to it, and later sightings go to the survivor."""
    with opened(tmp_path) as one:
        show(one, 1, range(3))
        show(one, 2, range(3))
        before = table(one)
        done = change(one, merge_unknowns, [2, 1])
        assert (done.unknowns, numbers(one)) == (("unknown-1",), ["unknown-1"])
        show(one, 2, range(3, 4))
        assert [(row["sightings"]) for row in one.read(find_unknowns)] == [7]
        assert change(one, ignore_unknown, 2).unknowns == ("unknown-2",)
        with pytest.raises(BadRequest, match=r"undo \d+ first"):
            change(one, undo_change, done.change)
        change(one, undo_change, 2)
        change(one, undo_change, done.change)
        assert numbers(one) == ["unknown-1", "unknown-2"]
        assert table(one)[:6] == before[:6]


def test_a_split_can_be_undone(tmp_path: Path) -> None:
    """What joined the new person in the meantime goes where the rest goes."""
    with opened(tmp_path) as one:
        show(one, 1, range(5))
        before = table(one)
        done = change(one, split_unknown, 1, [1, 2])
        assert done.unknowns == ("unknown-1", "unknown-2")
        change(one, undo_change, done.change)
        assert table(one) == before
        done = change(one, split_unknown, 1, [1, 2])
        assert done.unknowns == ("unknown-1", "unknown-3"), "a number is never used again"
        fresh = value(one, "SELECT id FROM person WHERE number = 3")
        one.write(
            lambda connection: connection.execute("UPDATE sighting SET person = ? WHERE id = 5", (fresh,))
        )
        change(one, undo_change, done.change)
        assert value(one, "SELECT count(DISTINCT person) FROM sighting") == 1


def test_a_name_can_be_undone(tmp_path: Path) -> None:
    """All sightings have it, the number is nobody's any more, and undoing brings everything back."""
    with opened(tmp_path) as one:
        show(one, 1, range(3))
        before = table(one)
        done = change(one, name_unknown, 1, "anna", [EnrolledPhoto("anna", "1.jpg", 1)])
        assert {row["name"] for row in rows(one, "SELECT name FROM sighting")} == {"anna"}
        assert numbers(one) == []
        with pytest.raises(UnknownSighting, match="was named 'anna' already"):
            change(one, ignore_unknown, 1)
        undone = change(one, undo_change, done.change)
        assert (table(one), undone.photos) == (before, (EnrolledPhoto("anna", "1.jpg", 1),))
        with pytest.raises(BadRequest, match="was undone already"):
            change(one, undo_change, done.change)


def test_a_correction_can_be_undone(tmp_path: Path) -> None:
    """Also what the sighting did to the unknown person it went to."""
    with opened(tmp_path) as one:
        show(one, 1, range(3))
        show(one, 1, range(3, 4), "anna", camera="9")
        before = table(one)
        done = correct(one, 4, None)
        assert done.unknowns == ("unknown-1",)
        assert [negative.name for negative in one.read(read_negatives)] == ["anna"]
        change(one, undo_change, done.change)
        assert table(one) == before
        assert one.read(read_negatives) == []


def test_a_corrected_sighting_does_not_go_back(tmp_path: Path) -> None:
    """It is not of the unknown person to whom the wrong name was given."""
    with opened(tmp_path) as one:
        show(one, 1, range(3))
        change(one, name_unknown, 1, "anna", [])
        correct(one, 2, None)
        named = value(one, "SELECT id FROM person WHERE name = 'anna'")
        assert value(one, "SELECT ifnull(person, -1) FROM sighting WHERE id = 2") != named


def test_a_corrected_sighting_is_not_its_neighbour(tmp_path: Path) -> None:
    """The other face of the same picture is somebody else, however alike."""
    with opened(tmp_path) as one:
        show(one, 1, range(2))
        one.record(picture(face(person(1, 2)), face(person(1, 3), "anna"), time=NOON + 3, camera="1"))
        one.flush()
        stranger, wrong = rows(one, "SELECT id, person FROM sighting WHERE id > 2 ORDER BY name IS NOT NULL")
        assert stranger["person"] is not None
        correct(one, wrong["id"], None)
        assert (
            value(one, "SELECT ifnull(person, -1) FROM sighting WHERE id = ?", wrong["id"])
            != stranger["person"]
        )


def test_who_is_ignored_stays_so_when_merged(tmp_path: Path) -> None:
    """Whichever number is the older one."""
    with opened(tmp_path) as one:
        for seed in (1, 2, 3):
            show(one, seed, range(2))
        assert not change(one, merge_unknowns, [1, 3]).ignored
        change(one, undo_change, 1)
        change(one, ignore_unknown, 2)
        merged = change(one, merge_unknowns, [1, 2])
        assert merged.ignored, "which is said, because all of them are now"
        assert numbers(one) == ["unknown-3"]
        before = value(one, "SELECT count(*) FROM event")
        show(one, 1, range(5, 7), camera="elsewhere")
        told = rows(one, "SELECT * FROM event WHERE type = 'seen' AND seq > ?", before)
        assert told == []
        change(one, undo_change, merged.change)
        assert numbers(one) == ["unknown-1", "unknown-3"]


def test_who_is_ignored_cannot_be_named(tmp_path: Path) -> None:
    """The photos would be a person's whom nobody may be taken for."""
    with opened(tmp_path) as one:
        show(one, 1, range(2))
        show(one, 2, range(2))
        change(one, ignore_unknown, 2)
        done = change(one, ignore_unknown, 1)
        undoing = r"unknown-1 is ignored; undo change 2 first: face-det unknowns undo 2"
        with pytest.raises(BadRequest, match=undoing):
            change(one, name_unknown, 1, "anna", [])
        change(one, undo_change, done.change)
        change(one, name_unknown, 1, "anna", [])


def test_ignoring_twice_is_one_change(tmp_path: Path) -> None:
    """The answer is the first one's: undoing it is enough, and there is one event."""
    with opened(tmp_path) as one:
        show(one, 1, range(2))
        first = change(one, ignore_unknown, 1)
        assert change(one, ignore_unknown, 1) == first
        assert len(read_negatives_of(one)) == 2
        assert len(rows(one, "SELECT * FROM event WHERE type = 'corrected'")) == 1
        change(one, undo_change, first.change)
        assert numbers(one) == ["unknown-1"]


def test_who_was_ignored_too_long_ago_for_an_undo(tmp_path: Path) -> None:
    """Changes are kept as long as sightings; the message says what is left to do."""
    with opened(tmp_path) as one:
        show(one, 1, range(2))
        change(one, ignore_unknown, 1)
        one.write(lambda connection: connection.execute("DELETE FROM change"))
        with pytest.raises(BadRequest, match="too long ago to be undone; face-det forget unknown-1"):
            change(one, name_unknown, 1, "anna", [])
        with pytest.raises(BadRequest, match="is ignored already"):
            change(one, ignore_unknown, 1)


def read_negatives_of(one: SightingStore) -> list[Any]:
    return one.read(read_negatives)


def test_an_edited_person_is_not_reclustered(tmp_path: Path) -> None:
    """Neither by likeness when seen again, nor by the pass at night."""
    with opened(tmp_path) as one:
        show(one, 1, range(6))
        change(one, split_unknown, 1, [1, 2, 3])
        before = [row["person"] for row in rows(one, "SELECT person FROM sighting ORDER BY id")]
        one.reconsider()
        show(one, 1, range(6, 9))
        after = [row["person"] for row in rows(one, "SELECT person FROM sighting ORDER BY id LIMIT 6")]
        assert after == before
        assert numbers(one) == ["unknown-1", "unknown-2"]


def test_a_split_needs_some_but_not_all(tmp_path: Path) -> None:
    """Of the sightings that are still there."""
    with opened(tmp_path) as one:
        show(one, 1, range(3))
        one.write(lambda connection: connection.execute("DELETE FROM sighting WHERE id = 1"))
        with pytest.raises(BadRequest, match="must be some of the 2 sightings"):
            change(one, split_unknown, 1, [2, 3])
        with pytest.raises(BadRequest, match="must be some of"):
            change(one, split_unknown, 1, [])
        with pytest.raises(UnknownSighting):
            change(one, split_unknown, 1, [99])
        with pytest.raises(UnknownSighting, match="nobody is called unknown-9"):
            change(one, split_unknown, 9, [2])
