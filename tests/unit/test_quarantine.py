"""Photos put aside and back, also when somebody is in the way, and after a kill at any point."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from face_det.errors import DataError
from face_det.identity import enrol, quarantine

NAMES = ("Alice/1.jpg", "Alice/2.jpg", "Bob/1.jpg", "Unknown/x y.png")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset with four photos."""
    place = tmp_path / "dataset"
    for number, name in enumerate(NAMES):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(f"photo {number}")
        os.utime(place / name, ns=(number * 10**9, number * 10**9))
    return place


def state(place: Path) -> dict[str, tuple[bytes, int]]:
    """Every file: what is in it, and when it was changed."""
    return {
        path.relative_to(place).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in place.rglob("*")
        if path.is_file()
    }


def aside(place: Path, *names: str) -> list[str]:
    moved = quarantine.put_aside(place, [(place / name, "why") for name in names])
    return [str(one.source) for one in moved]


def test_aside_and_back(dataset: Path) -> None:
    """Enrolment does not see what is aside; undo leaves not a trace."""
    before = state(dataset)
    assert aside(dataset, "Alice/2.jpg", "Unknown/x y.png") == ["Alice/2.jpg", "Unknown/x y.png"]
    assert {name: len(paths) for name, paths in enrol.photos(dataset).items()} == {"Alice": 1, "Bob": 1}
    assert [one.why for one in quarantine.lying(dataset)] == ["why", "why"]
    assert len(quarantine.undo(dataset).back) == 2
    assert state(dataset) == before
    assert not (dataset / quarantine.FOLDER).exists()


def test_undo_takes_the_last_move_first(dataset: Path) -> None:
    """One at a time, or all of them."""
    before = state(dataset)
    for name in NAMES[:3]:
        aside(dataset, name)
    assert [str(path) for path in quarantine.undo(dataset).back] == ["Bob/1.jpg"]
    assert len(quarantine.undo(dataset, everything=True).back) == 2
    assert state(dataset) == before


def test_nothing_to_undo(dataset: Path) -> None:
    """No quarantine, no error, no folder."""
    assert quarantine.undo(dataset) == quarantine.PutBack((), (), ())
    assert quarantine.put_aside(dataset, []) == []
    assert not (dataset / quarantine.FOLDER).exists()


def test_a_name_may_come_twice(dataset: Path) -> None:
    """Another photo of the same name is put aside as well, and neither overwrites the other."""
    aside(dataset, "Bob/1.jpg")
    (dataset / "Bob/1.jpg").write_text("new")
    aside(dataset, "Bob/1.jpg")
    assert [str(path) for path in quarantine.undo(dataset).back] == ["Bob/1.jpg"]
    result = quarantine.undo(dataset)
    assert (result.back, [str(path) for path in result.taken]) == ((), ["Bob/1.jpg"])
    assert (dataset / "Bob/1.jpg").read_text() == "new"
    (left,) = quarantine.lying(dataset)
    assert (dataset / left.place).read_text() == "photo 2"


def test_without_hard_links(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a memory card: the same, and nothing is overwritten either."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    before = state(dataset)
    aside(dataset, *NAMES)
    assert len(quarantine.undo(dataset).back) == 4
    assert state(dataset) == before
    aside(dataset, "Bob/1.jpg")
    (dataset / "Bob/1.jpg").write_text("new")
    assert quarantine.undo(dataset).back == ()
    assert (dataset / "Bob/1.jpg").read_text() == "new"


def test_folders_that_are_gone_come_back(dataset: Path) -> None:
    """And a photo that somebody took out of quarantine is reported."""
    aside(dataset, "Bob/1.jpg", "Alice/1.jpg")
    (dataset / "Bob").rmdir()
    (dataset / next(iter(quarantine.lying(dataset))).place).unlink()
    result = quarantine.undo(dataset)
    assert [str(path) for path in result.gone] == ["Bob/1.jpg"]
    assert [str(path) for path in result.back] == ["Alice/1.jpg"]


@pytest.mark.parametrize("path", ["../out.jpg", "Alice/deep/1.jpg", "1.jpg", ".hidden/1.jpg"])
def test_only_photos_of_the_dataset(dataset: Path, path: str) -> None:
    """Nothing else can be moved."""
    with pytest.raises(DataError, match="must be a photo in"):
        quarantine.put_aside(dataset, [(dataset / path, "")])


@pytest.mark.parametrize(
    "line",
    [
        {"move": "m", "from": "../../out", "to": ".quarantine/m/../../out", "why": ""},
        {"move": "m", "from": "Alice/1.jpg", "to": "/etc/passwd", "why": ""},
        {"move": "../..", "from": "Alice/1.jpg", "to": ".quarantine/../../Alice/1.jpg", "why": ""},
        {"move": "m", "from": "Alice/1.jpg", "why": ""},
        ["no", "object"],
    ],
)
def test_a_journal_cannot_lead_out(dataset: Path, line: object) -> None:
    """One that somebody wrote by hand is refused."""
    (dataset / quarantine.FOLDER).mkdir()
    (dataset / quarantine.FOLDER / quarantine.JOURNAL).write_text(json.dumps(line) + "\n")
    with pytest.raises(DataError, match="must be a journal of face-det"):
        quarantine.undo(dataset)


def test_a_line_that_was_cut_off_means_nothing(dataset: Path) -> None:
    """The next one is written whole."""
    before = state(dataset)
    aside(dataset, "Alice/1.jpg")
    journal = dataset / quarantine.FOLDER / quarantine.JOURNAL
    with journal.open("a") as file:
        file.write('{"move": "2026')
    aside(dataset, "Alice/2.jpg")
    assert len(quarantine.undo(dataset, everything=True).back) == 2
    assert state(dataset) == before


def test_forget_is_for_good(dataset: Path) -> None:
    """A person who is to be forgotten does not stay in quarantine, not by name either."""
    aside(dataset, "Alice/1.jpg", "Bob/1.jpg")
    assert quarantine.forget(dataset, "Alice") == 1
    assert "Alice" not in (dataset / quarantine.FOLDER / quarantine.JOURNAL).read_text()
    assert [str(path) for path in quarantine.undo(dataset).back] == ["Bob/1.jpg"]
    assert not (dataset / "Alice/1.jpg").exists()
    assert quarantine.forget(dataset, "Nobody") == 0


CALLS = ("link", "unlink", "fsync", "mkdir", "rmdir", "replace", "open", "write")
KILLED = """
import os, pathlib, sys
sys.path.insert(0, {package!r})
from face_det.identity import quarantine
dataset = pathlib.Path({dataset!r})
count = 0
def dying(call):
    def called(*args, **options):
        global count
        count += 1
        if count == {after}: os._exit(9)
        return call(*args, **options)
    return called
if {no_links}:
    def refuse(*_, **__): raise OSError(1, "Operation not permitted")
    os.link = refuse
for name in {calls!r}:
    setattr(os, name, dying(getattr(os, name)))
{what}
"""
ASIDE = "quarantine.put_aside(dataset, [(dataset / name, 'why') for name in {names!r}])"
UNDO = "quarantine.undo(dataset)"


@pytest.fixture
def die(dataset: Path) -> Callable[..., bool]:
    """Run something in a process that is killed before its call number `after`; whether it was."""

    def run(what: str, after: int, *, no_links: bool) -> bool:
        package = str(Path(quarantine.__file__).parents[2])
        code = KILLED.format(
            package=package, dataset=str(dataset), after=after, calls=CALLS, what=what, no_links=no_links
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode in (0, 9), done.stderr
        return done.returncode == 9

    return run


@pytest.mark.parametrize("no_links", [False, True])
@pytest.mark.parametrize("what", [ASIDE.format(names=NAMES[:2]), UNDO])
def test_killed_anywhere_nothing_is_lost(
    dataset: Path, die: Callable[..., bool], what: str, no_links: bool
) -> None:
    """Killed before each call to the system in turn: every photo is there, and undo brings all back."""
    before = state(dataset)
    after = 0
    while True:
        after += 1
        if what == UNDO:
            aside(dataset, *NAMES[:2])
        killed = die(what, after, no_links=no_links)
        contents = {content for content, _ in state(dataset).values()}
        assert contents >= {content for content, _ in before.values()}, after
        quarantine.undo(dataset, everything=True)
        assert {name: found for name, found in state(dataset).items() if name in NAMES} == before, after
        if not killed:
            break
        assert after < 60
    assert after > 6
