"""What was seen gets another name, and the former one back; changes and events know what names meant."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from seen import DAY_S, NOON, FakeTime, face, opened, person, picture, rows, value

from face_det.sightings import (
    Author,
    EnrolledPhoto,
    SightingStore,
    erase_name,
    export_sightings,
    name_sighting,
    name_unknown,
    read_negatives,
    rename_seen,
    undo_change,
    undo_renaming,
)

AUTHOR = Author("uid 1", NOON)


def show(one: SightingStore, seed: int, takes: range, name: str | None = None) -> None:
    for take in takes:
        one.record(picture(face(person(seed, take), name), camera=str(seed), time=NOON + take))
    one.flush()


def correct(one: SightingStore, sighting: int, name: str) -> int:
    return one.write(
        lambda connection: name_sighting(connection, one.people, sighting, name, [], AUTHOR)
    ).change


def table(one: SightingStore) -> list[dict[str, Any]]:
    """What undoing must bring back."""
    return rows(one, "SELECT id, person, name, outcome, edited FROM sighting ORDER BY id")


def rename(one: SightingStore, number: int, *names: str) -> None:
    one.write(lambda connection: rename_seen(connection, number, NOON, names[:-1], names[-1]))


def undo(one: SightingStore, number: int, *enrolled: str) -> None:
    one.write(lambda connection: undo_renaming(connection, number, NOON, lambda name: name in enrolled))


def names(one: SightingStore) -> list[str | None]:
    """Whose each sighting is, then the named people's, then who negatives are not."""
    found = [row["name"] for row in rows(one, "SELECT name FROM sighting ORDER BY id")]
    found += [row["name"] for row in rows(one, "SELECT name FROM person WHERE state = 'named' ORDER BY id")]
    return found + [negative.name for negative in one.read(read_negatives)]


def test_a_change_is_undone_under_the_new_name(tmp_path: Path) -> None:
    """Its photos are those of whoever has them now, and renaming twice is as renaming once."""
    with opened(tmp_path) as one:
        show(one, 1, range(3))
        show(one, 2, range(1), "bob")
        before = table(one)
        photos = [EnrolledPhoto("anna", "1.jpg", 1)]
        named = one.write(lambda connection: name_unknown(connection, 1, "anna", photos, AUTHOR)).change
        moved = correct(one, 4, "carl")
        assert names(one) == ["anna", "anna", "anna", "carl", "anna", "bob"]
        rename(one, 1, "anna", "anne")
        rename(one, 2, "anne", "ann")
        rename(one, 3, "bob", "rob")
        assert names(one) == ["ann", "ann", "ann", "carl", "ann", "rob"]
        one.write(lambda connection: undo_change(connection, moved, AUTHOR))
        assert names(one) == ["ann", "ann", "ann", "rob", "ann"]
        undone = one.write(lambda connection: undo_change(connection, named, AUTHOR))
        assert undone.photos == (EnrolledPhoto("ann", "1.jpg", 1),)
        undo(one, 3)
        assert table(one) == before


def test_who_were_one_are_two_again(tmp_path: Path) -> None:
    """What a user has said since the merger stays; what got a name that is nobody's any more follows."""
    with opened(tmp_path) as one:
        for seed, name in enumerate(("anna", "bob", "carl", "anna")):
            show(one, seed, range(1), name)
        rename(one, 1, "anna", "bob", "carl")
        assert names(one) == ["carl"] * 4
        correct(one, 4, "dora")
        undo(one, 1, "carl")
        assert names(one)[:4] == ["anna", "bob", "carl", "dora"]
        rename(one, 2, "dora", "eva")
        correct(one, 1, "eva")
        undo(one, 2)
        assert names(one)[:4] == ["dora", "bob", "carl", "dora"]


def test_a_former_name_is_forgotten_with_its_bearer(tmp_path: Path) -> None:
    """In events and changes from before; whoever has that name now is somebody else, and stays."""
    time = FakeTime()
    with opened(tmp_path, time) as one:
        show(one, 1, range(2), "anna")
        show(one, 2, range(1), "bob")
        correct(one, 1, "bob")
        rename(one, 1, "anna", "anne")
        show(one, 3, range(1), "anna")
        correct(one, 4, "bob")
        one.erase(lambda connection: erase_name(connection, one.people, "anne", NOON))
        assert value(one, "SELECT count(*) FROM change") == 1
        told = rows(one, "SELECT sighting FROM event WHERE name = 'anna' OR data LIKE '%anna%'")
        assert {row["sighting"] for row in told} == {4}
        assert value(one, "SELECT count(*) FROM renaming") == 0


def test_what_is_noted_goes_in_time(tmp_path: Path) -> None:
    """Once neither the change to photos nor any other can be undone."""
    time = FakeTime()
    with opened(tmp_path, time) as one:
        show(one, 1, range(1), "anna")
        rename(one, 1, "anna", "anne")
        for days, left in ((30.0, 1), (1.5, 0)):
            time.go_on(days * DAY_S)
            one.flush()
            one.flush()
            assert (
                value(one, "SELECT (SELECT count(*) FROM renaming) + (SELECT count(*) FROM renamed)")
                == 2 * left
            )


def exported_events(one: SightingStore, name: str) -> list[str | None]:
    """The name in each event of an export."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        one.read(lambda connection: export_sightings(connection, archive, name, None))
    return [event["name"] for event in json.loads(zipfile.ZipFile(file).read("events.json"))]


def test_an_export_has_what_was_told_under_former_names(tmp_path: Path) -> None:
    """Events keep the names of their time; those of whoever has the name now are not theirs."""
    with opened(tmp_path) as one:
        show(one, 1, range(2), "anna")
        before = exported_events(one, "anna")
        assert before
        assert set(before) == {"anna"}
        rename(one, 1, "anna", "anne")
        show(one, 2, range(10, 12), "anna")
        assert exported_events(one, "anne")[: len(before)] == before
        assert "anna" not in exported_events(one, "anne")[len(before) :]
