"""The folder that pictures are extracted to: nothing is lost, overwritten or done twice."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import kill_points
import pytest
from disks import fill

from face_det.errors import BadName, Busy, CannotWrite, DataError
from face_det.extraction import (
    OUTPUT_JOURNAL,
    FinishedSource,
    Output,
    open_output,
    picture_stem,
)

CALLS = [(os, name) for name in ("open", "fsync", "link", "close", "mkdir")]
CALLS += [(Path, name) for name in ("replace", "unlink", "mkdir")]
SOURCES = ("a.jpg", "b.jpg")


def tree(folder: Path) -> dict[str, bytes]:
    """What somebody sees in the folder: every file but the journal, with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != OUTPUT_JOURNAL
    }


def extract(folder: Path) -> list[str]:
    """Do the work of a small run; what it had to work on."""
    worked = []
    with open_output(folder) as output:
        finished = output.find_finished((source, "1") for source in SOURCES)
        for source in SOURCES:
            if source in finished:
                continue
            worked.append(source)
            for number in (1, 2):
                output.save(f"{source} {number}".encode(), picture_stem(source, number), person="Anna")
            output.record(FinishedSource(source, "1", {"saved": 2}, f"about {source}"))
    return worked


def test_a_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    """The journal remembers the sources, what came of each, and what there was to tell."""
    assert extract(tmp_path / "faces") == list(SOURCES)
    before = tree(tmp_path)
    assert len(before) == 4
    assert extract(tmp_path / "faces") == []
    assert tree(tmp_path) == before
    with open_output(tmp_path / "faces") as output:
        (found,) = output.find_finished([("a.jpg", "1"), ("b.jpg", "2"), ("c.jpg", "1")]).values()
    assert found == FinishedSource("a.jpg", "1", {"saved": 2}, "about a.jpg")


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    """Somebody else's file, a folder and a dangling link of the same name all stay; the picture is -2, ..."""
    place = tmp_path / "Anna"
    (place / "x-2.jpg").mkdir(parents=True)
    (place / "x.jpg").write_bytes(b"mine")
    (place / "x-3.jpg").symlink_to(tmp_path / "nowhere")
    with open_output(tmp_path) as output:
        assert output.save(b"theirs", "x", person="Anna").name == "x-4.jpg"
        assert output.save(b"theirs", "x", person="Anna").name == "x-4.jpg"
    assert (place / "x.jpg").read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()
    assert tree(place) == {"x.jpg": b"mine", "x-4.jpg": b"theirs"}


@pytest.mark.slow
def test_a_kill_at_any_moment_changes_nothing(tmp_path: Path) -> None:
    """Killed before or after any call that changes a file, and run again: the same as one clean run."""
    extract(tmp_path / "clean")
    clean = tree(tmp_path / "clean")
    point = 0
    while True:
        point += 1
        folder = tmp_path / str(point)
        if kill_points.run_killed(point, CALLS, extract, folder):
            break
        extract(folder)
        assert tree(folder) == clean, point
        assert extract(folder) == []
    assert point > 30


def test_work_that_was_committed_is_not_done_again(tmp_path: Path) -> None:
    """A run that is killed after `commit` finds those sources finished."""

    def run() -> None:
        with open_output(tmp_path) as output:
            output.save(b"1", picture_stem("a.jpg", 1))
            output.record(FinishedSource("a.jpg", "1"))
            output.commit()
            os.getppid()

    assert not kill_points.run_killed(1, [(os, "getppid")], run)
    with open_output(tmp_path) as output:
        assert output.find_finished([("a.jpg", "1")])


def test_only_one_run_at_a_time(tmp_path: Path) -> None:
    """A second process is told; it would take the first one's half-written files for leftovers."""
    with open_output(tmp_path) as output:
        (tmp_path / ".face_det-0123456789abcdef.tmp").touch()
        child = os.fork()
        if child == 0:
            try:
                with open_output(tmp_path):
                    os._exit(1)
            except Busy as error:
                os._exit(0 if "another face-det is extracting" in str(error) else 2)
            os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (tmp_path / ".face_det-0123456789abcdef.tmp").exists()
        output.record(FinishedSource("a.jpg", "1"))
    with open_output(tmp_path):
        assert not (tmp_path / ".face_det-0123456789abcdef.tmp").exists()


def test_a_linked_person_is_refused(tmp_path: Path) -> None:
    """Nothing is written outside the folder by way of a link."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "Anna").symlink_to(tmp_path / "elsewhere")
    with open_output(tmp_path / "faces") as output, pytest.raises(BadName, match="links are not followed"):
        output.save(b"1", "x", person="Anna")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_full_disk_leaves_nothing_half(tmp_path: Path, disk: Callable[..., Path]) -> None:
    """The error says which file and what to do; what was finished is kept; with room, it goes on."""
    folder = disk("size=2m") / "faces"
    with pytest.raises(CannotWrite, match=r"No space left on device.*make room") as full:
        save_much(folder)
    filler = folder / "filler"
    names = {name for name in tree(folder) if name != "filler"}
    assert "\n" not in str(full.value)
    assert filler.stat().st_size > 0
    assert all(tree(folder)[name] == b"\1" * 50_000 for name in names)
    assert not list(folder.rglob("*.tmp"))
    filler.unlink()
    save_much(folder, fills=False)
    assert len(tree(folder)) == 10


def save_much(folder: Path, fills: bool = True) -> None:
    """Ten pictures; the disk is full after the first."""
    with open_output(folder) as output:
        for number in range(10):
            output.save(b"\1" * 50_000, picture_stem(f"{number}.jpg", 1))
            output.record(FinishedSource(f"{number}.jpg", "1"))
            if fills and number == 0:
                output.commit()
                fill(folder)


@pytest.mark.parametrize("content", [b"hello, this is no database" * 50, "link", "folder", "version"])
def test_something_else_in_the_journals_place(tmp_path: Path, content: bytes | str) -> None:
    """It is refused with what to do, and left as it is."""
    journal = tmp_path / OUTPUT_JOURNAL
    if content == "link":
        journal.symlink_to(tmp_path / "other")
    elif content == "folder":
        journal.mkdir()
    elif content == "version":
        with sqlite3.connect(journal) as database:
            database.execute("PRAGMA user_version = 7")
        database.close()
    else:
        assert isinstance(content, bytes)
        journal.write_bytes(content)
    with pytest.raises(DataError, match=r"move it away|remove it|another folder"), open_output(tmp_path):
        pytest.fail("must not open")
    assert {path.name for path in tmp_path.iterdir()} == {OUTPUT_JOURNAL}


@pytest.mark.parametrize(
    "source",
    [
        "/",
        "x/.jpg",
        "x/../../y.jpg",
        "x/\udcff\n.jpg",
        "Вход/кадр 12.jpg",
        "א" * 300 + ".jpg",
        "..",
        "a" * 999,
    ],
)
def test_any_source_gives_a_file_name(tmp_path: Path, source: str) -> None:
    """Keys and paths may hold anything; a name is visible, short, and leads nowhere else."""
    stem = picture_stem(source, 1)
    assert stem == picture_stem(source, 1) != picture_stem(source + "x", 1)
    assert "/" not in stem
    assert not stem.startswith(".")
    with open_output(tmp_path) as output:
        assert output.save(b"1", stem).parent == tmp_path
        output.record(FinishedSource(source, "1"))
        assert set(output.find_finished([(source, "1")])) == {source}


def test_a_run_that_fails_keeps_what_it_finished(tmp_path: Path) -> None:
    """An error in the middle, or Ctrl-C, ends the run; the next one goes on from there."""

    def work(output: Output) -> None:
        output.record(FinishedSource("a.jpg", "1"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_output(tmp_path) as output:
        work(output)
    with open_output(tmp_path) as output:
        assert set(output.find_finished([("a.jpg", "1"), ("b.jpg", "1")])) == {"a.jpg"}
