"""The spool: what was appended is read once and in order, whatever is cut off or broken."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from face_det.errors import CannotWrite
from face_det.sightings.spool import Spool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.bin"


def contents(spool: Spool, limit: int = 1000) -> list[bytes]:
    return [content for _, content in spool.read(limit)]


def test_records_are_read_once_and_in_order(path: Path) -> None:
    """Each append is one record, numbered from 1; nobody else may read the file."""
    spool = Spool(path, 0)
    for content in (b"a", b"", b"c" * 100_000):
        spool.append(content)
    assert spool.read(2) == [(1, b"a"), (2, b"")]
    assert spool.read(2) == [(3, b"c" * 100_000)]
    assert spool.read(2) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_not_used_is_read_by_the_next_process(path: Path) -> None:
    """A restart goes on after the number that was committed, and numbers on."""
    spool = Spool(path, 0)
    for content in (b"a", b"b", b"c"):
        spool.append(content)
    spool.close()
    after = Spool(path, 2)
    after.append(b"d")
    assert after.read(10) == [(3, b"c"), (4, b"d")]


def test_numbers_go_on_in_an_empty_file(path: Path) -> None:
    """The database's number counts, not only the file's."""
    spool = Spool(path, 41)
    spool.append(b"a")
    assert spool.read(10) == [(42, b"a")]


@pytest.mark.parametrize("cut", [1, 10, 17, 20])
def test_a_torn_record_is_dropped_and_the_others_stay(path: Path, cut: int) -> None:
    """A kill during a write leaves a part; the next record does not follow it."""
    spool = Spool(path, 0)
    spool.append(b"first")
    spool.append(b"second")
    spool.close()
    os.truncate(path, path.stat().st_size - cut)
    again = Spool(path, 0)
    again.append(b"third")
    again.close()
    assert Spool(path, 0).read(10) == [(1, b"first"), (2, b"third")]


@pytest.mark.parametrize("tail", [b"\0" * 16, b"\0" * 4096, b"\0" * 4099, b"\xff" * 50], ids=len)
def test_a_tail_of_zeros_or_rubbish_is_no_record(path: Path, tail: bytes) -> None:
    """A power cut leaves zeros after the last record: what follows must not be numbered from one again."""
    spool = Spool(path, 0)
    for content in (b"a", b"b"):
        spool.append(content)
    spool.close()
    with path.open("ab") as file:
        file.write(tail)
    again = Spool(path, 0)
    again.append(b"c")
    assert again.read(10) == [(1, b"a"), (2, b"b"), (3, b"c")]


def test_a_record_with_a_damaged_number_is_dropped(path: Path) -> None:
    """The number decides what is skipped, so the checksum covers it."""
    spool = Spool(path, 0)
    spool.append(b"a")
    spool.append(b"b")
    spool.close()
    data = bytearray(path.read_bytes())
    data[17 + 12] ^= 0xFF
    path.write_bytes(data)
    assert contents(Spool(path, 0)) == [b"a"]


def test_a_full_spool_refuses_and_loses_nothing(path: Path) -> None:
    """What was appended before stays, and there is room again once it was used."""
    spool = Spool(path, 0, max_bytes=100)
    spool.append(b"a" * 80)
    with pytest.raises(CannotWrite, match="is not remembered"):
        spool.append(b"b" * 80)
    assert contents(spool) == [b"a" * 80]
    spool.release(anyhow=True)
    spool.append(b"c" * 80)
    assert contents(spool) == [b"c" * 80]


def test_a_full_disk_leaves_no_half_record(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that ends early is undone; the next one follows the last whole record."""
    spool = Spool(path, 0)
    spool.append(b"a")
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", fails)
        return real(descriptor, data[:20])

    def fails(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(CannotWrite, match="No space left"):
        spool.append(b"b" * 1000)
    monkeypatch.setattr(os, "write", real)
    spool.append(b"c")
    spool.close()
    assert Spool(path, 0).read(10) == [(1, b"a"), (2, b"c")]


def test_what_could_not_be_used_is_read_again(path: Path) -> None:
    """After a rollback, reading begins again after the last committed number."""
    spool = Spool(path, 0)
    for content in (b"a", b"b", b"c"):
        spool.append(content)
    assert len(spool.read(10)) == 3
    spool.rewind(1)
    assert spool.read(10) == [(2, b"b"), (3, b"c")]


def test_a_database_that_is_ahead_hides_nothing_new(path: Path) -> None:
    """Somebody put back another database, whose number is higher: what is appended now is read."""
    spool = Spool(path, 0)
    spool.append(b"a")
    assert contents(spool) == [b"a"]
    spool.rewind(500)
    spool.append(b"b")
    assert contents(spool) == [b"b"]


def test_what_was_used_can_be_dropped_while_something_waits(path: Path) -> None:
    """Forgetting empties the file of what was used, also under load; what waits stays, over a restart too."""
    spool = Spool(path, 0)
    spool.append(b"forgotten")
    assert len(spool.read(1)) == 1
    spool.append(b"waits")
    spool.release(anyhow=True)
    assert b"forgotten" not in path.read_bytes()
    assert b"waits" in path.read_bytes()
    spool.append(b"later")
    assert Spool(path, 1).read(10) == [(2, b"waits"), (3, b"later")]
    assert spool.read(10) == [(2, b"waits"), (3, b"later")]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_kill_while_the_file_is_replaced_leaves_nothing_behind(path: Path) -> None:
    """The half-written successor goes at the next start."""
    path.with_name("spool.bin.new").write_bytes(b"forgotten")
    Spool(path, 0)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_file_that_has_disappeared_is_made_again(path: Path) -> None:
    """What waits survives that somebody deleted the file, or the whole folder."""
    spool = Spool(path, 0)
    spool.append(b"used")
    assert len(spool.read(1)) == 1
    spool.append(b"waits")
    assert spool.in_place
    path.unlink()
    assert not spool.in_place
    spool.restore()
    assert spool.in_place
    spool.append(b"later")
    assert Spool(path, 1).read(10) == [(2, b"waits"), (3, b"later")]
    assert spool.read(10) == [(2, b"waits"), (3, b"later")]


def test_many_append_at_once(path: Path) -> None:
    """No record is lost or mixed with another while one thread reads."""
    spool = Spool(path, 0)

    def append(worker: int) -> None:
        for number in range(200):
            spool.append(f"{worker}:{number}".encode())

    threads = [threading.Thread(target=append, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    found: list[bytes] = []
    while len(found) < 800:
        found += contents(spool, 7)
        spool.release(anyhow=True)
    for thread in threads:
        thread.join()
    for worker in range(4):
        mine = [content for content in found if content.startswith(b"%d:" % worker)]
        assert mine == [f"{worker}:{number}".encode() for number in range(200)]
    assert path.stat().st_size == 0


def test_closed_is_closed(path: Path) -> None:
    """An append after the end is an error, not a record in nobody's file."""
    spool = Spool(path, 0)
    spool.close()
    with pytest.raises(CannotWrite, match="is closed"):
        spool.append(b"a")
