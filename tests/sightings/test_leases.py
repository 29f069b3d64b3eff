"""Leases of cursors: one owner at a time, who may be gone for a while, and may be killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from seen import DAY_S, NOON, FakeTime, opened, value

from face_det.errors import CursorTaken
from face_det.sightings import (
    Lease,
    Leases,
    SightingStore,
    read_cursors,
    write_cursor,
)
from face_det.sightings.retention import remove_expired

ME, OTHER = "nuc 1", "pi 2"


def take(one: SightingStore, leases: Leases, owner: str, seconds: float = 60.0) -> None:
    one.write(lambda connection: leases.take(connection, "bell", Lease(owner, seconds), NOON))


def test_a_lease_that_is_not_renewed_passes_on(tmp_path: Path) -> None:
    """Not a moment before its time is over, and its former owner may not use the cursor any more."""
    time = FakeTime()
    with opened(tmp_path, time) as one:
        leases = Leases(one.clocks.monotonic)
        take(one, leases, ME)
        time.go_on(40)
        take(one, leases, ME)
        time.go_on(59.5)
        with pytest.raises(CursorTaken, match="another program on nuc uses it"):
            take(one, leases, OTHER)
        time.go_on(1)
        take(one, leases, OTHER)
        with pytest.raises(CursorTaken, match="on pi uses it; wait until that one ends, or 60 s"):
            take(one, leases, ME)


def test_an_owner_that_is_late_goes_on_if_nobody_else_came(tmp_path: Path) -> None:
    """Nothing was done twice meanwhile."""
    time = FakeTime()
    with opened(tmp_path, time) as one:
        leases = Leases(one.clocks.monotonic)
        take(one, leases, ME)
        time.go_on(1000)
        take(one, leases, ME)
        with pytest.raises(CursorTaken):
            take(one, leases, OTHER)


def test_after_a_restart_of_the_daemon_the_owner_comes_first(tmp_path: Path) -> None:
    """For as long as a lease lasts, however long the daemon was away; a clock that is set changes nothing."""
    time = FakeTime()
    with opened(tmp_path, time) as one:
        take(one, Leases(one.clocks.monotonic), ME)
    time.wall += 3 * DAY_S
    time.monotonic = 0.0
    with opened(tmp_path, time) as one:
        leases = Leases(one.clocks.monotonic)
        for _ in range(2):
            with pytest.raises(CursorTaken):
                take(one, leases, OTHER)
            time.monotonic += 30
            time.wall += 10_000
        take(one, leases, OTHER)


def test_a_lease_that_was_ended_is_free_at_once(tmp_path: Path) -> None:
    """Whoever has none ends nobody else's."""
    with opened(tmp_path) as one:
        leases = Leases(one.clocks.monotonic)
        take(one, leases, OTHER, 0)
        take(one, leases, ME)
        with pytest.raises(CursorTaken):
            take(one, leases, OTHER, 0)
        take(one, leases, ME, 0)
        assert value(one, "SELECT count(*) FROM lease") == 0
        take(one, leases, OTHER)


def test_what_a_killed_program_leaves_goes_with_its_cursor(tmp_path: Path) -> None:
    """A lease whose cursor is still moved stays, however old it is."""
    time = FakeTime()
    with opened(tmp_path, time, keep_days=1) as one:
        leases = Leases(one.clocks.monotonic)
        take(one, leases, ME)
        one.write(lambda connection: write_cursor(connection, "bell", 1, NOON + 3 * DAY_S))
        time.go_on(3 * DAY_S)
        one.write(lambda connection: remove_expired(connection, one.people, one.options, time.wall))
        assert value(one, "SELECT count(*) FROM lease") == 1
        time.go_on(3 * DAY_S)
        for _ in range(2):
            one.write(lambda connection: remove_expired(connection, one.people, one.options, time.wall))
        assert value(one, "SELECT count(*) FROM lease") == 0


def test_a_cursor_that_is_a_time_is_behind_by_seconds(tmp_path: Path) -> None:
    """Frigate's events have no numbers of ours to count."""
    with opened(tmp_path) as one:
        one.write(lambda connection: write_cursor(connection, "frigate-home", int(NOON), NOON))
        found = one.read(lambda connection: read_cursors(connection, NOON + 90))
    assert found["frigate-home"] == {"seq": int(NOON), "behind": None, "behind_s": 90.0, "moved": NOON}


def test_a_lease_that_is_renewed_outlives_its_row(tmp_path: Path) -> None:
    """Retention removes the row of a program that had nothing to do for long; it is there all the same."""
    time = FakeTime()
    with opened(tmp_path, time, keep_days=1) as one:
        leases = Leases(one.clocks.monotonic)
        take(one, leases, ME)
        time.wall += 3 * DAY_S
        one.write(lambda connection: remove_expired(connection, one.people, one.options, time.wall))
        assert value(one, "SELECT count(*) FROM lease") == 0
        with pytest.raises(CursorTaken):
            take(one, leases, OTHER)
        take(one, leases, ME)
        assert value(one, "SELECT owner FROM lease") == ME
        time.go_on(61)
        take(one, leases, OTHER)
