"""Unknown people: stable, numbered once, and founded by clear faces only."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from running import eventually
from seen import NOON, FakeTime, always, face, names_told, opened, person, picture, rows, value

from face_det.sightings import SightingStore, find_unknowns, people


def show(one: SightingStore, seed: int, take: int, **fields: Any) -> None:
    one.record(picture(face(person(seed, take), **fields), camera=str(seed), time=NOON + take))


def numbers(one: SightingStore) -> list[str]:
    one.flush()
    return sorted(unknown["id"] for unknown in one.read(find_unknowns))


def test_a_number_after_two_sightings(tmp_path: Path) -> None:
    """Not after one, and each person has another."""
    with opened(tmp_path) as one:
        show(one, 1, 0)
        assert numbers(one) == []
        show(one, 1, 1)
        show(one, 2, 0)
        show(one, 2, 1)
        assert numbers(one) == ["unknown-1", "unknown-2"]


def test_numbers_outlast_restarts_and_models(tmp_path: Path) -> None:
    """The same person is the same number."""
    for start in range(3):
        with opened(tmp_path) as one:
            one.use(always(None), dict, f"model {start}")
            show(one, 1, 2 * start)
            show(one, 1, 2 * start + 1)
            assert numbers(one) == ["unknown-1"]
            assert one.read(find_unknowns)[0]["sightings"] == 2 * start + 2


def test_blurred_faces_join_but_do_not_found(tmp_path: Path) -> None:
    """Nor do they count for a number."""
    with opened(tmp_path) as one:
        for take in range(4):
            show(one, 1, take, norm=5.0, quality=0.1)
        assert rows(one, "SELECT * FROM person") == []
        show(one, 1, 4)
        show(one, 1, 5, norm=5.0, quality=0.1)
        assert numbers(one) == []
        assert value(one, "SELECT sightings FROM person") == 2
        show(one, 1, 6)
        assert numbers(one) == ["unknown-1"]
        assert value(one, "SELECT shaping FROM person") == 2


def test_the_list_needs_nothing_but_its_index(tmp_path: Path) -> None:
    """A thousand rows with the sums of encodings in them would be a megabyte to read."""
    queries: list[str] = []

    def ask(connection: sqlite3.Connection) -> list[str]:
        connection.set_trace_callback(queries.append)
        find_unknowns(connection)
        connection.set_trace_callback(None)
        plans = [connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall() for query in queries]
        return [row["detail"] for plan in plans for row in plan]

    with opened(tmp_path) as one:
        show(one, 1, 0)
        show(one, 1, 1)
        one.flush()
        (plan,) = one.read(ask)
        assert "USING COVERING INDEX person_most_seen" in plan


def test_who_turns_out_to_be_one_person_has_the_cameras_of_both(tmp_path: Path) -> None:
    """The one that saw both most often comes first."""
    with opened(tmp_path) as one:
        for seed in (1, 2):
            show(one, seed, 0)
            show(one, seed, 1)
        show(one, 2, 2)
        one.write(lambda connection: people.merge_people(connection, 1, 2))
        assert [unknown["cameras"] for unknown in one.read(find_unknowns)] == [["2", "1"]]


def test_two_faces_of_one_picture_are_two_people(tmp_path: Path) -> None:
    """However alike they are, also in the pass at night."""
    with opened(tmp_path) as one:
        for take in range(3):
            shown = (face(person(1, 2 * take)), face(person(1, 2 * take + 1)))
            one.record(picture(*shown, time=NOON + take))
        seen = rows(one, "SELECT shot, person FROM sighting WHERE person IS NOT NULL")
        assert len({(row["shot"], row["person"]) for row in seen}) == len(seen) == 6
        one.reconsider()
        seen = rows(one, "SELECT shot, person FROM sighting WHERE person IS NOT NULL")
        assert len({(row["shot"], row["person"]) for row in seen}) == len(seen)


def test_who_turns_out_to_be_enrolled_is_no_unknown_person(tmp_path: Path) -> None:
    """Nobody with no sighting is listed, and who comes back gets no second number of theirs."""
    with opened(tmp_path) as one:
        show(one, 1, 0)
        show(one, 1, 1)
        assert numbers(one) == ["unknown-1"]
        one.use(always("anna"), dict, "knows anna")
        while any(row["name"] is None for row in rows(one, "SELECT name FROM sighting")):
            pass
        assert numbers(one) == []


def test_a_person_with_no_sighting_left_expires(tmp_path: Path) -> None:
    """Like any other who was not seen for long."""
    time = FakeTime()
    with opened(tmp_path, time, keep_days=1, unknown_keep_days=5) as one:
        show(one, 1, 0)
        show(one, 1, 1)
        one.use(always("anna"), dict, "knows anna")
        time.go_on(6 * 86_400)
        while rows(one, "SELECT * FROM person"):
            pass


def test_another_embedders_people_are_not_compared(tmp_path: Path) -> None:
    """Those enrolled have encodings of another length: no sighting is lost by that."""
    with opened(tmp_path) as one:
        wide = {"anna": [person(1).repeat(2).astype(float)]}
        one.use(always(None), lambda: wide, "wide")
        one.flush()
        one.record(picture(face(person(1)), face(person(2), "bert")))
        assert names_told(one) == ["bert"]
        assert one.status()["dropped"] == 0


def test_a_gallery_that_cannot_be_read_does_not_keep_the_old_model(tmp_path: Path, caplog: Any) -> None:
    """Deciding by the new model matters more than comparing with its people."""

    def fail() -> Any:
        raise OSError("no such disk")

    with opened(tmp_path) as one:
        show(one, 1, 0)
        one.use(always("anna"), fail, "new")
        while [row["name"] for row in rows(one, "SELECT name FROM sighting")] != ["anna"]:
            pass
    assert "are not compared with those enrolled" in caplog.text


def see_twice(one: SightingStore, seed: int) -> None:
    show(one, seed, 0)
    show(one, seed, 1)


def test_numbers_outlast_the_database(tmp_path: Path) -> None:
    """It is damaged, or deleted, and whoever comes next is not taken for somebody in an old notification."""
    with opened(tmp_path) as one:
        see_twice(one, 1)
        see_twice(one, 2)
        assert numbers(one) == ["unknown-1", "unknown-2"]
    for path in tmp_path.glob("sightings.sqlite-*"):
        path.unlink()
    (tmp_path / "sightings.sqlite").write_bytes(b"garbage")
    with opened(tmp_path) as one:
        see_twice(one, 3)
        # What still lay in the spool comes again, under other numbers as well.
        second = numbers(one)
        assert second
        assert not {"unknown-1", "unknown-2"} & {*second}
    for path in tmp_path.glob("sightings.sqlite*"):
        path.unlink()
    with opened(tmp_path) as one:
        see_twice(one, 1)
        third = numbers(one)
        assert third
        assert not {"unknown-1", "unknown-2", *second} & {*third}


def test_the_kept_number_never_goes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An old database that is put back goes on after it; a damaged file is made again from the database."""
    kept = tmp_path / "unknown-numbers.json"
    with opened(tmp_path) as one:
        see_twice(one, 1)
        assert numbers(one) == ["unknown-1"]
    assert json.loads(kept.read_bytes()) == {"highest": 1}
    kept.write_text('{"highest": 41}')
    with opened(tmp_path) as one:
        see_twice(one, 2)
        assert numbers(one) == ["unknown-1", "unknown-42"]
    kept.write_bytes(b'{"highest": "42"')
    with opened(tmp_path) as one:
        assert numbers(one) == ["unknown-1", "unknown-42"]
    assert json.loads(kept.read_bytes()) == {"highest": 42}
    assert "unknown-numbers.json: damaged" in caplog.text


def test_a_number_that_was_not_committed_is_not_kept(tmp_path: Path) -> None:
    """Nor is one committed that cannot be kept: the file is written first."""
    kept = tmp_path / "unknown-numbers.json"
    with opened(tmp_path) as one:
        see_twice(one, 1)
        one.flush()
        kept.unlink()
        kept.mkdir()
        see_twice(one, 2)
        eventually(lambda: "unknown-numbers.json" in one.status().get("fault", ""))
        assert [unknown["id"] for unknown in one.read(find_unknowns)] == ["unknown-1"]
        kept.rmdir()
        eventually(lambda: "fault" not in one.status())
        assert numbers(one) == ["unknown-1", "unknown-2"]
