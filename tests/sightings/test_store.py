"""The store: what was handed over arrives once, whatever happens to the database meanwhile."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack
import pytest
import seen
from running import eventually
from seen import FakeTime, face, names_told, opened, person, picture, rows, value

from face_det.errors import AlreadyRunning, BadRequest, CannotWrite, DataError
from face_det.sightings import (
    Event,
    MemoryOptions,
    SightingStore,
    append_event,
    find_sighting,
    read_events,
    schema,
    store,
)
from face_det.sightings.records import pack_picture, unpack_picture


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults show soon, and are tried again soon."""
    monkeypatch.setattr(schema, "BUSY_S", 0.05)
    monkeypatch.setattr(store, "RETRY_S", 0.05)


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[Callable[..., sqlite3.Connection]]:
    """lock(): somebody else writes the database, until they close the connection; others may be `reading`."""
    held = []

    def take(reading: bool = True) -> sqlite3.Connection:
        connection = sqlite3.connect(tmp_path / "sightings.sqlite", isolation_level=None, timeout=10)
        if not reading:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        held.append(connection)
        return connection

    yield take
    for connection in held:
        connection.close()


def see(one: SightingStore, name: str, camera: str = "door") -> None:
    one.record(picture(face(person(1), name), camera=camera))


def test_what_was_handed_over_is_recorded(tmp_path: Path) -> None:
    """A sighting and its event, in files that only their owner can read."""
    with opened(tmp_path / "state") as one:
        see(one, "anna")
        assert names_told(one) == ["anna"]
        assert value(one, "SELECT camera FROM sighting") == "door"
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert {"sightings.sqlite", "sightings.sqlite-wal", "spool.bin"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_restart_neither_loses_nor_repeats(tmp_path: Path) -> None:
    """What the spool still holds was committed with its number."""
    for start in range(3):
        with opened(tmp_path) as one:
            see(one, "anna", camera=f"camera {start}")
    with opened(tmp_path) as one:
        assert names_told(one) == ["anna"] * 3
        assert value(one, "SELECT count(*) FROM sighting") == 3


def test_what_a_killed_process_left_in_the_spool_is_recorded(tmp_path: Path) -> None:
    """The child ends right after the hand-over, with the writer stopped, as after kill -9."""
    with opened(tmp_path):
        pass
    child = os.fork()
    if child == 0:
        one = SightingStore(tmp_path, MemoryOptions(), FakeTime().clocks())
        one._connect()
        see(one, "anna")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with opened(tmp_path) as one:
        assert names_told(one) == ["anna"]


def test_the_size_of_the_image_is_kept_with_its_picture(tmp_path: Path) -> None:
    """Also through a spool; in that of a version before there is none."""
    whole = picture(face(person(1), "anna"), picture=b"jpeg", image_size=(640, 480))
    older = {**msgpack.unpackb(pack_picture(whole))}
    del older["image_size"]
    assert unpack_picture(msgpack.packb(older)).image_size is None
    with opened(tmp_path, frames=True) as one:
        one.record(whole)
        one.record(picture(face(person(1), "anna"), picture=b"jpeg"))
        one.record(picture(face(person(1), "anna")))
        one.flush()
        sizes = [
            one.read(lambda connection, number=number: find_sighting(connection, number))["imageSize"]
            for number in (1, 2, 3)
        ]
    assert sizes == [{"width": 640, "height": 480}, None, None]


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """Two writers would give numbers twice."""
    with opened(tmp_path), pytest.raises(AlreadyRunning, match="in use by another process"):
        SightingStore(tmp_path, MemoryOptions(), FakeTime().clocks()).open()
    with opened(tmp_path):
        pass


def test_a_locked_database_delays_records_only(
    tmp_path: Path, lock: Callable[..., sqlite3.Connection], caplog: pytest.LogCaptureFixture
) -> None:
    """Handing over does not wait; status and the log say what is wrong; all arrive once it is free."""
    with opened(tmp_path) as one:
        one.flush()
        other = lock()
        see(one, "anna")
        eventually(lambda: "locked" in one.status().get("fault", ""))
        with pytest.raises(CannotWrite, match=r"locked.*nothing was changed"):
            one.flush()
        other.close()
        eventually(lambda: "fault" not in one.status())
        assert names_told(one) == ["anna"]
        assert one.status()["dropped"] == 0
    assert "recognition goes on" in caplog.text


def test_a_change_nobody_waits_for_is_made_once_the_database_is_free(
    tmp_path: Path, lock: Callable[..., sqlite3.Connection]
) -> None:
    """Otherwise the store would go on deciding with a model that was replaced."""
    with opened(tmp_path) as one:
        one.flush()
        other = lock()
        one.use(seen.always("anna"), dict, "new model")
        one.post(lambda connection: append_event(connection, Event("trained", seen.NOON)))
        eventually(lambda: "fault" in one.status())
        other.close()
        eventually(lambda: rows_if_free(one) == [{"type": "trained"}])
        decided = eventually(lambda: rows(one, "SELECT value FROM meta WHERE key = 'decided_by'"))
        assert decided == [{"value": "new model"}]


def rows_if_free(one: SightingStore) -> list[dict[str, object]]:
    try:
        return rows(one, "SELECT type FROM event")
    except CannotWrite:
        return []


def test_a_change_whose_caller_gave_up_is_not_made(tmp_path: Path) -> None:
    """It was answered that nothing was changed, so nothing changes later."""
    begun, go_on = threading.Event(), threading.Event()
    with opened(tmp_path) as one:
        one.post(lambda connection: (begun.set(), go_on.wait(60)))
        assert begun.wait(60)
        with pytest.raises(CannotWrite, match="nothing was changed"):
            one.write(lambda connection: append_event(connection, Event("trained", seen.NOON)), 0.01)
        go_on.set()
        assert rows(one, "SELECT * FROM event") == []


def test_after_the_end_nobody_waits(tmp_path: Path) -> None:
    """A late change fails at once, and a late sighting is counted."""
    with opened(tmp_path) as one:
        pass
    with pytest.raises(CannotWrite, match="closed"):
        one.flush()
    see(one, "anna")
    assert one.status()["dropped"] == 1


def test_what_goes_wrong_in_a_change_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who waits gets the error, and nothing of the change stays; otherwise the log has it."""

    def fail(connection: sqlite3.Connection) -> None:
        append_event(connection, Event("trained", seen.NOON))
        raise BadRequest("id: no")

    with opened(tmp_path) as one:
        with pytest.raises(BadRequest, match="id: no"):
            one.write(fail)
        one.post(fail)
        assert rows(one, "SELECT * FROM event") == []
        assert "fault" not in one.status()
    assert "a change was not made: id: no" in caplog.text


def test_a_picture_that_cannot_be_recorded_stops_no_other(tmp_path: Path) -> None:
    """One has a time that SQLite takes for NULL, and one an encoding of another length than it says."""
    with opened(tmp_path) as one:
        see(one, "anna", camera="1")
        one.record(picture(face(person(1), "anna"), time=math.nan, camera="2"))
        one.record(picture(face(person(1)), camera="3"))
        one.record(picture(face(person(2)[:64]), camera="4"))
        see(one, "anna", camera="5")
        assert names_told(one) == ["anna", "anna"]
        assert one.status()["dropped"] == 1
        assert value(one, "SELECT count(*) FROM sighting") == 4
        assert "fault" not in one.status()


def test_a_picture_that_cannot_be_packed_breaks_no_call(tmp_path: Path) -> None:
    """The call is answered in any case."""
    with opened(tmp_path) as one:
        one.record(picture(face(person(1)), frame=object()))
        one.record(picture(face(person(1)), time=2**70))
        assert one.status()["dropped"] == 2


def test_paths_in_other_encodings_are_kept(tmp_path: Path) -> None:
    """A name in Latin-1 reaches Python with lone surrogates, which SQLite refuses."""
    frame = os.fsdecode(b"/pictures/caf\xe9.jpg")
    with opened(tmp_path) as one:
        one.record(picture(face(person(1), "anna"), frame=frame, camera="caf\udce9"))
        assert names_told(one) == ["anna"]
        assert value(one, "SELECT frame FROM sighting") == "/pictures/caf\\udce9.jpg"


def test_a_deleted_database_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Calls go on, and what the spool still holds is in the new one."""
    with opened(tmp_path) as one:
        see(one, "anna")
        one.flush()
        (tmp_path / "sightings.sqlite").unlink()
        see(one, "bert", camera="garden")
        assert names_told(one) == ["anna", "bert"]
        assert "fault" not in one.status()
    assert "has disappeared" in caplog.text
    assert seen.is_sound(tmp_path)


def test_a_deleted_folder_is_made_again(tmp_path: Path) -> None:
    """With a spool that survives the next kill, and still for one process only."""
    with opened(tmp_path / "state") as one:
        see(one, "anna")
        one.flush()
        shutil.rmtree(tmp_path / "state")
        see(one, "bert", camera="garden")
        assert names_told(one)[-1] == "bert"
        assert (tmp_path / "state" / "spool.bin").exists()
        with pytest.raises(AlreadyRunning):
            SightingStore(tmp_path / "state", MemoryOptions(), FakeTime().clocks()).open()


@pytest.mark.parametrize("in_place", [True, False])
def test_a_database_that_is_garbage_is_moved_aside(tmp_path: Path, in_place: bool) -> None:
    """A new one is begun at once, status names the old one, and calls go on."""
    path = tmp_path / "sightings.sqlite"
    with opened(tmp_path) as one:
        see(one, "anna")
        one.flush()
        one._wait(one._jobs.add(checkpoint, whole=False))
        if in_place:
            with path.open("r+b") as file:
                file.write(b"garbage " * 20_000)
        else:
            (tmp_path / "garbage").write_bytes(b"garbage " * 1000)
            (tmp_path / "garbage").replace(path)
        see(one, "bert", camera="garden")
        eventually(lambda: one.status().get("movedAside") and "fault" not in one.status())
        see(one, "carl", camera="hall")
        assert names_told(one)[-1] == "carl"
    assert seen.is_sound(tmp_path)


def test_a_database_that_is_garbage_at_the_start_is_moved_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of it is deleted, and nobody else can read it."""
    garbage = b"garbage " * 1000
    (tmp_path / "sightings.sqlite").write_bytes(garbage)
    with opened(tmp_path) as one:
        see(one, "anna")
        assert names_told(one) == ["anna"]
        (aside,) = one.status()["movedAside"]
    assert (tmp_path / aside).read_bytes() == garbage
    assert stat.S_IMODE((tmp_path / aside).stat().st_mode) == 0o600
    assert "moved to" in caplog.text


def test_damage_that_only_a_query_meets_is_noticed(tmp_path: Path) -> None:
    """The writer looks at the whole file as soon as a query fails."""
    with opened(tmp_path) as one:
        for number in range(50):
            shown = face(person(1, number), thumbnail=seen.thumbnail(number))
            one.record(picture(shown, camera=str(number)))
        one.write(lambda connection: None)
        one._wait(one._jobs.add(checkpoint, whole=False))
        page = value(one, "SELECT rootpage FROM sqlite_schema WHERE name = 'thumbnail'")
        with (tmp_path / "sightings.sqlite").open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xaa" * 4096)
        query = "SELECT count(jpeg) FROM thumbnail"

        def fails() -> bool:
            try:
                one.read(lambda connection: connection.execute(query).fetchone())
            except CannotWrite:
                return True
            return False

        assert eventually(lambda: fails() or one.status().get("movedAside"))
        eventually(lambda: one.status().get("movedAside"))
        eventually(lambda: not fails())


def checkpoint(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def test_a_start_with_a_locked_database_goes_on(
    tmp_path: Path, lock: Callable[..., sqlite3.Connection]
) -> None:
    """Recognition must not wait for somebody's query: sightings wait in the spool."""
    with opened(tmp_path):
        pass
    other = lock(reading=False)
    with opened(tmp_path) as one:
        see(one, "anna")
        assert "locked" in one.status()["fault"]
        other.close()
        eventually(lambda: "fault" not in one.status())
        assert names_told(one) == ["anna"]
        assert one.status()["dropped"] == 0


def test_a_start_without_a_folder_goes_on(tmp_path: Path) -> None:
    """Nothing can be remembered, which status says, until there is room for it."""
    (tmp_path / "state").write_text("in the way")
    with opened(tmp_path / "state") as one:
        see(one, "anna")
        status = one.status()
        assert (status["dropped"], "cannot be written" in status["fault"]) == (1, True)
        assert "must be a folder (statePath), got a file" in status["fault"]
        (tmp_path / "state").unlink()
        eventually(lambda: "fault" not in one.status())
        see(one, "bert")
        assert names_told(one) == ["bert"]


def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """It is left as it is."""
    with opened(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / "sightings.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    one = SightingStore(tmp_path, MemoryOptions(), FakeTime().clocks())
    with pytest.raises(DataError, match=r"sightings.sqlite: must be of version \d+ or older, got 99"):
        one.open()
    with pytest.raises(DataError):
        one.open()


def test_who_waits_is_woken_for_every_event(tmp_path: Path) -> None:
    """Of a sighting, of a change that somebody waits for, and of one that nobody waits for."""
    woken = threading.Event()
    with opened(tmp_path) as one:
        one.listen(woken.set)
        one.flush()
        assert not woken.is_set()
        see(one, "anna")
        assert woken.wait(60)
        for number, change in enumerate((one.write, one.post)):
            one.flush()
            woken.clear()
            change(lambda connection, at=number: append_event(connection, Event("named", at)))
            assert woken.wait(60)


def test_a_query_reads_one_moment(tmp_path: Path) -> None:
    """Otherwise an event that is committed in between would be answered twice."""
    with opened(tmp_path) as one:
        see(one, "anna")
        one.flush()

        def twice(connection: sqlite3.Connection) -> list[int]:
            before = len(read_events(connection, 0)["events"])
            one.write(lambda writer: append_event(writer, Event("trained", seen.NOON)))
            return [before, len(read_events(connection, 0)["events"])]

        before, after = one.read(twice)
        assert before == after
        assert value(one, "SELECT count(*) FROM event") == before + 1


def test_a_fault_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A database that is locked for a week must not fill the disk."""
    caplog.set_level(logging.ERROR)
    with opened(tmp_path) as one:
        one.flush()
        other = sqlite3.connect(tmp_path / "sightings.sqlite", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        tries = []
        real = one._note_fault
        one._note_fault = lambda error: (tries.append(error), real(error))  # type: ignore[method-assign]
        see(one, "anna")
        eventually(lambda: len(tries) > 5)
        other.close()
        assert names_told_soon(one) == ["anna"]
    assert caplog.text.count("recognition goes on") <= 2


def names_told_soon(one: SightingStore) -> list[str]:
    eventually(lambda: "fault" not in one.status())
    return names_told(one)
