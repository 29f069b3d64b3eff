"""Retention: by age, by number and by size, in the background, and nothing grows for ever."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
from seen import DAY_S, NOON, FakeTime, face, opened, person, picture, rows, thumbnail, value

from face_det.sightings import (
    Author,
    Event,
    MemoryOptions,
    SightingStore,
    append_event,
    find_unknowns,
    ignore_unknown,
    merge_unknowns,
    write_cursor,
)
from face_det.sightings.retention import remove_expired

AUTHOR = Author("uid 1", NOON)


def expire(one: SightingStore, time: FakeTime) -> int:
    """Remove all that has expired, as the writer does while nothing happens; how many steps that took."""
    steps = 0
    while one.write(lambda connection: remove_expired(connection, one.people, one.options, time.wall)):
        steps += 1
        assert steps < 1000, "there is always more to remove"
    return steps


def show(one: SightingStore, seed: int, take: int, time: float, name: str | None = None) -> None:
    jpeg = thumbnail(seed * 1000 + take)
    shown = face(person(seed, take), name, thumbnail=jpeg, quality=0.9 + take / 1000)
    one.record(picture(shown, time=time, camera=str(seed)))


def ids(one: SightingStore) -> list[int]:
    return [row["id"] for row in rows(one, "SELECT id FROM sighting ORDER BY id")]


def test_exactly_at_the_age(tmp_path: Path) -> None:
    """A sighting is kept for keep_days, not a moment less; its thumbnail and events go with it."""
    time = FakeTime()
    with opened(tmp_path, time, keep_days=2) as one:
        show(one, 1, 0, NOON, "anna")
        show(one, 2, 0, NOON + 1, "bert")
        one.flush()
        time.go_on(2 * DAY_S)
        expire(one, time)
        assert ids(one) == [1, 2]
        time.go_on(0.5)
        expire(one, time)
        assert ids(one) == [2]
        assert value(one, "SELECT count(*) FROM thumbnail") == 1
        assert rows(one, "SELECT name FROM event WHERE name = 'anna'") == []
        assert len(rows(one, "SELECT name FROM event WHERE name = 'bert'")) == 1


def test_the_writer_removes_by_itself(tmp_path: Path) -> None:
    """While nothing is seen."""
    time = FakeTime()
    with opened(tmp_path, time, keep_days=1) as one:
        show(one, 1, 0, NOON, "anna")
        one.flush()
        time.go_on(DAY_S + 1)
        while ids(one):
            pass


def test_exactly_the_number(tmp_path: Path) -> None:
    """The latest max_count stay, whatever order they came in."""
    time = FakeTime()
    with opened(tmp_path, time, max_count=10) as one:
        for number in np.random.default_rng(1).permutation(25).tolist():
            show(one, number, 0, NOON + number, f"person {number}")
        one.flush()
        expire(one, time)
        kept = sorted(row["name"] for row in rows(one, "SELECT name FROM sighting"))
        assert kept == sorted(f"person {number}" for number in range(15, 25))


def test_the_file_shrinks(tmp_path: Path) -> None:
    """Below the megabytes allowed, on disk and not only inside, a little at a time."""
    time = FakeTime()
    with opened(tmp_path, time, max_mb=1) as one:
        one.change_options(MemoryOptions(max_mb=1000))
        for number in range(60):
            jpeg = thumbnail(number, 100_000)
            shown = face(person(number), f"person {number}", thumbnail=jpeg)
            one.record(picture(shown, camera=str(number), time=NOON + number))
        one.flush()
        one.change_options(MemoryOptions(max_mb=1))
        one.flush()
        assert expire(one, time) >= 1
        one._wait(one._jobs.add(checkpoint, whole=False))
        size = sum(path.stat().st_size for path in tmp_path.iterdir() if path.suffix != ".bin")
        assert size < 2e6
        assert ids(one)[-1] == 60
        assert 5 <= len(ids(one)) <= 10
        assert value(one, "PRAGMA auto_vacuum") == 2


def checkpoint(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def test_events_alone_do_not_outgrow_the_limit(tmp_path: Path) -> None:
    """Where no sighting is left to remove, the oldest events go."""
    time = FakeTime()
    with opened(tmp_path, time, max_mb=1, keep_days=10_000) as one:

        def fill(connection: sqlite3.Connection) -> None:
            for number in range(3000):
                append_event(connection, Event("trained", NOON, data={"text": "x" * 1000, "at": number}))

        one.write(fill)
        expire(one, time)
        assert 0 < value(one, "SELECT count(*) FROM event") < 1200
        assert value(one, "SELECT max(seq) FROM event") == 3000


def test_the_best_sighting_of_a_numbered_person_stays(tmp_path: Path) -> None:
    """Until unknown_keep_days are over: then the person is forgotten, and the number is not used again."""
    time = FakeTime()
    with opened(tmp_path, time, keep_days=1, unknown_keep_days=5) as one:
        for take in range(3):
            show(one, 1, take, NOON)
        one.flush()
        time.go_on(5 * DAY_S)
        expire(one, time)
        assert ids(one) == [3]
        (unknown,) = one.read(find_unknowns)
        assert (unknown["id"], unknown["best"], unknown["sightings"]) == ("unknown-1", 3, 3)
        time.go_on(1)
        expire(one, time)
        assert (ids(one), one.read(find_unknowns)) == ([], [])
        assert rows(one, "SELECT * FROM person") == []
        for take in range(3):
            show(one, 1, take, time.wall)
        one.flush()
        assert [unknown["id"] for unknown in one.read(find_unknowns)] == ["unknown-2"]


def test_who_comes_back_after_being_forgotten_loses_no_picture(tmp_path: Path) -> None:
    """The writer must not assign a sighting to somebody who is no longer there."""
    time = FakeTime()
    with opened(tmp_path, time, keep_days=1, unknown_keep_days=5) as one:
        for take in range(3):
            show(one, 1, take, NOON)
        one.flush()
        time.go_on(6 * DAY_S)
        while rows(one, "SELECT * FROM person"):
            pass
        one.record(picture(face(person(1)), face(person(2), "anna"), time=time.wall, camera="7"))
        assert [row["name"] for row in rows(one, "SELECT name FROM sighting ORDER BY id")] == [None, "anna"]
        assert one.status()["dropped"] == 0


def test_people_whom_a_user_edited_expire_too_but_not_ignored_ones(tmp_path: Path) -> None:
    """To be ignored is for good."""
    time = FakeTime()
    with opened(tmp_path, time, keep_days=1, unknown_keep_days=5) as one:
        for seed in (1, 2, 3):
            for take in range(2):
                show(one, seed, take, NOON)
        one.write(lambda connection: merge_unknowns(connection, [1, 2], AUTHOR))
        one.write(lambda connection: ignore_unknown(connection, 3, AUTHOR))
        time.go_on(100 * DAY_S)
        expire(one, time)
        assert [row["number"] for row in rows(one, "SELECT number FROM person")] == [3]
        assert value(one, "SELECT count(*) FROM negative") == 2
        assert len(ids(one)) == 1


def test_nothing_else_grows_for_ever(tmp_path: Path) -> None:
    """Ended visits, changes, counts by visit, and cursors of consumers who are gone."""
    time = FakeTime()
    with opened(tmp_path, time, keep_days=1, unknown_keep_days=500) as one:
        for take in range(3):
            show(one, 1, take, NOON + 100 * take)
            show(one, 2, take, NOON + 100 * take)
        one.write(lambda connection: merge_unknowns(connection, [1, 2], AUTHOR))
        one.write(lambda connection: write_cursor(connection, "gone", 1, NOON))
        time.go_on(3 * DAY_S)
        one.write(lambda connection: write_cursor(connection, "here", 1, time.wall))
        one.flush()
        while value(one, "SELECT count(*) FROM visit WHERE ended = 0"):
            pass
        expire(one, time)
        for table in ("visit", "change", "person_visit"):
            assert rows(one, f"SELECT * FROM {table}") == [], table
        assert [row["consumer"] for row in rows(one, "SELECT consumer FROM cursor")] == ["here"]
        (unknown,) = one.read(find_unknowns)
        assert (unknown["sightings"], unknown["visits"]) == (6, 6)
        show(one, 1, 3, time.wall)
        one.flush()
        (unknown,) = one.read(find_unknowns)
        assert (unknown["sightings"], unknown["visits"]) == (7, 7)


def test_a_whole_picture_goes_with_its_last_sighting(tmp_path: Path) -> None:
    """Two faces share one picture."""
    time = FakeTime()
    with opened(tmp_path, time, frames=True, max_count=1) as one:
        shown = picture(face(person(1), "anna"), face(person(2), "bert"), picture=b"jpeg")
        one.record(shown)
        one.flush()
        expire(one, time)
        assert (len(ids(one)), value(one, "SELECT count(*) FROM picture")) == (1, 1)
        one.change_options(MemoryOptions(keep_days=1))
        time.go_on(2 * DAY_S)
        one.flush()
        expire(one, time)
        assert (len(ids(one)), value(one, "SELECT count(*) FROM picture")) == (0, 0)


def test_damaged_databases_are_not_kept_longer_than_sightings(tmp_path: Path) -> None:
    """They hold sightings too."""
    (tmp_path / "sightings.sqlite").write_bytes(b"garbage " * 100)
    time = FakeTime()
    with opened(tmp_path, time, keep_days=1) as one:
        one.flush()
        assert one.status()["movedAside"]
        time.wall = (tmp_path / one.status()["movedAside"][0]).stat().st_mtime + DAY_S + 1
        time.monotonic += 100
        while "movedAside" in one.status():
            pass


def test_even_the_best_sightings_are_bounded(tmp_path: Path) -> None:
    """A busy street has more numbered people than sightings are to be kept; the people stay."""
    time = FakeTime()
    with opened(tmp_path, time, max_count=6) as one:
        for seed in range(1, 11):
            for take in range(2):
                show(one, seed, take, NOON + 10 * seed + take)
        one.flush()
        expire(one, time)
        assert ids(one) == [10, 12, 14, 16, 18, 20], "the best of the latest six"
        unknowns = one.read(find_unknowns)
        assert [unknown["id"] for unknown in unknowns] == [f"unknown-{number}" for number in range(1, 11)]
        assert [unknown["best"] for unknown in unknowns] == [None] * 4 + ids(one)
        show(one, 1, 2, NOON + 200)
        latest = "SELECT number FROM sighting JOIN person ON person.id = person ORDER BY sighting.id DESC"
        assert value(one, latest) == 1
