"""The log of events: numbered, append-only, and read by several consumers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from seen import NOON, face, opened, person, picture

from face_det.sightings import (
    MAX_EVENTS,
    Event,
    append_event,
    begin_cursor,
    read_cursor,
    read_events,
    write_cursor,
)


def fill(count: int) -> object:
    def append(connection: sqlite3.Connection) -> None:
        for number in range(count):
            append_event(connection, Event("trained", NOON + number, data={"at": number}))

    return append


def test_events_are_read_in_pages_without_gap_or_repeat(tmp_path: Path) -> None:
    """The number of the last one continues; at the end there is nothing, and the number stays."""
    with opened(tmp_path) as one:
        one.write(fill(MAX_EVENTS + 5))  # type: ignore[arg-type]
        seqs, after = [], 0
        while True:
            page = one.read(lambda connection, after=after: read_events(connection, after))
            after = page["last"]
            if not page["events"]:
                break
            seqs += [event["seq"] for event in page["events"]]
        assert seqs == list(range(1, MAX_EVENTS + 6))
        assert after == MAX_EVENTS + 5


def test_numbers_are_never_used_again(tmp_path: Path) -> None:
    """Not after the newest events were removed, and not after a restart."""
    with opened(tmp_path) as one:
        one.write(fill(3))  # type: ignore[arg-type]
        one.write(lambda connection: connection.execute("DELETE FROM event"))
    with opened(tmp_path) as one:
        assert one.read(lambda connection: read_events(connection, 3)) | {"log": None} == {
            "events": [],
            "last": 3,
            "log": None,
        }
        one.write(fill(1))  # type: ignore[arg-type]
        assert one.read(lambda connection: read_events(connection, 3))["events"][0]["seq"] == 4


def test_a_log_that_was_begun_anew_says_so(tmp_path: Path) -> None:
    """A consumer that asks for a number from before gets everything."""
    with opened(tmp_path) as one:
        one.write(fill(2))  # type: ignore[arg-type]
        page = one.read(lambda connection: read_events(connection, 500))
        assert (page["reset"], len(page["events"]), page["last"]) == (True, 2, 2)


def test_one_event_says_that_somebody_was_seen(tmp_path: Path) -> None:
    """Of one visit and name there is one, whatever is appended."""
    with opened(tmp_path) as one:
        event = Event("seen", NOON, "door", 1, 1, "known", "anna")

        def twice(connection: sqlite3.Connection) -> list[bool]:
            return [append_event(connection, event) for _ in range(2)]

        assert one.write(twice) == [True, False]


def test_consumers_have_cursors_of_their_own(tmp_path: Path) -> None:
    """They outlast a restart, and each may go back."""
    with opened(tmp_path) as one:
        one.write(lambda connection: write_cursor(connection, "alarm", 7, NOON))
        one.write(lambda connection: write_cursor(connection, "light", 3, NOON))
        one.write(lambda connection: write_cursor(connection, "alarm", 5, NOON))
    with opened(tmp_path) as one:
        found = [
            one.read(lambda connection, name=name: read_cursor(connection, name))
            for name in ("alarm", "light", "nobody")
        ]
        assert found == [5, 3, 0]


def test_a_new_consumer_may_begin_after_the_newest_event(tmp_path: Path) -> None:
    """Once begun it keeps its place, also if there was no event yet."""
    with opened(tmp_path) as one:
        assert one.write(lambda connection: begin_cursor(connection, "early", NOON)) == 0
        one.write(fill(4))
        assert one.write(lambda connection: begin_cursor(connection, "early", NOON)) == 0
        assert one.write(lambda connection: begin_cursor(connection, "late", NOON)) == 4
        one.write(fill(2))
        assert one.write(lambda connection: begin_cursor(connection, "late", NOON)) == 4


def test_an_event_of_somebody_seen_says_where_and_who(tmp_path: Path) -> None:
    """With the sighting, the visit and, of an unknown person, the number."""
    with opened(tmp_path) as one:
        one.record(picture(face(person(1), "anna")))
        for take in range(2):
            one.record(picture(face(person(2, take)), camera="garden", time=NOON + take))
        one.flush()
        events = one.read(lambda connection: read_events(connection, 0))["events"]
        told = [event for event in events if event["type"] == "seen"]
        assert [(event["name"], event["outcome"], event["unknown"]) for event in told] == [
            ("anna", "known", None),
            (None, "unknown", None),
            (None, "unknown", "unknown-1"),
        ]
        assert [event["camera"] for event in told] == ["door", "garden", "garden"]
        assert [event["sighting"] for event in told] == [1, 2, 3]
