"""Pictures are numbered in the order in which people count, and none is lost on the way."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import forked
import kill_points
import pytest
from disks import fill

from face_det.errors import CannotWrite, DataError
from face_det.extraction import RENUMBER_JOURNAL, natural_key, renumber_pictures, undo_renumbering

CALLS = [(os, name) for name in ("open", "fsync", "link", "close")]
CALLS += [(Path, name) for name in ("replace", "unlink")]
NAMES = ["b10.jpg", "b9.JPG", "a.jpeg", "00000002.jpg", "00000001.png", "10.PNG"]
ORDER = ["00000001.png", "00000002.jpg", "10.PNG", "a.jpeg", "b9.JPG", "b10.jpg"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures whose content is their name, and things that are none."""
    place = tmp_path / "Anna"
    place.mkdir()
    for name in [*NAMES, "notes.txt", ".hidden.jpg"]:
        (place / name).write_text(name)
    (place / "below.jpg").mkdir()
    return place


def contents(place: Path) -> dict[str, str]:
    """Name -> content of each file but the journal."""
    return {
        path.name: path.read_text()
        for path in place.iterdir()
        if path.is_file() and path.name != RENUMBER_JOURNAL
    }


NUMBERED = {
    **{f"{number:08d}{Path(name).suffix}": name for number, name in enumerate(ORDER, 1)},
    "notes.txt": "notes.txt",
    ".hidden.jpg": ".hidden.jpg",
}


def test_in_the_order_in_which_people_count(folder: Path) -> None:
    """Taken names move along; whatever is no picture stays; a second call changes nothing."""
    done = renumber_pictures(folder)
    assert contents(folder) == NUMBERED
    assert (len(done.renamed), done.pictures) == (4, 6)
    assert renumber_pictures(folder).renamed == ()
    assert contents(folder) == NUMBERED


def test_names_that_change_places(tmp_path: Path) -> None:
    """Each new name is another picture's old name: the original skipped those, and overwrote others."""
    for number in range(1, 30):
        (tmp_path / f"{number:08d}.jpg").write_text(str(number))
    (tmp_path / "0.jpg").write_text("0")
    assert len(renumber_pictures(tmp_path).renamed) == 30
    assert contents(tmp_path) == {f"{number + 1:08d}.jpg": str(number) for number in range(30)}


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_lost_whatever_the_names(tmp_path: Path, seed: int) -> None:
    """Any names, in any script: all contents are there, in natural order, and undo restores all."""
    rng = random.Random(seed)
    for number in range(60):
        name = "".join(rng.choice("ab0129-_ ñЖ٣") for _ in range(rng.randint(1, 9)))
        (tmp_path / f"{name}.{rng.choice(['jpg', 'JPG', 'png', 'Jpeg'])}").write_text(str(number))
    before = contents(tmp_path)
    renumber_pictures(tmp_path)
    after = contents(tmp_path)
    assert sorted(after.values()) == sorted(before.values())
    assert [after[name] for name in sorted(after)] == [
        before[name] for name in sorted(before, key=natural_key)
    ]
    undo_renumbering(tmp_path)
    assert contents(tmp_path) == before


def test_undo_and_redo(folder: Path) -> None:
    """--undo gives the old names back, and undone again it is redone."""
    before = contents(folder)
    renumber_pictures(folder)
    assert undo_renumbering(folder).left == ()
    assert contents(folder) == before
    undo_renumbering(folder)
    assert contents(folder) == NUMBERED


def test_undo_leaves_other_pictures_alone(folder: Path) -> None:
    """What was deleted or replaced since is named, and what took an old name is not overwritten."""
    renumber_pictures(folder)
    (folder / "00000003.PNG").unlink()
    (folder / "00000004.jpeg").write_text("another one")
    assert set(undo_renumbering(folder).left) == {"00000003.PNG", "00000004.jpeg"}
    assert contents(folder)["00000004.jpeg"] == "another one"
    renumber_pictures(folder)
    (folder / "b9.JPG").write_text("came later")
    before = contents(folder)
    with pytest.raises(DataError, match=r"b9\.JPG: is not renamed, but .* move it away"):
        undo_renumbering(folder)
    assert contents(folder) == before


def test_dry_runs_change_nothing(folder: Path) -> None:
    """They tell what would be renamed."""
    before = contents(folder)
    planned = renumber_pictures(folder, dry_run=True)
    assert contents(folder) == before
    assert not (folder / RENUMBER_JOURNAL).exists()
    assert renumber_pictures(folder).renamed == planned.renamed
    assert len(undo_renumbering(folder, dry_run=True).renamed) == 4
    assert contents(folder) == NUMBERED


@pytest.mark.parametrize("what", ["folder", "link"])
def test_a_name_that_is_taken(folder: Path, what: str) -> None:
    """A folder or link that has one of the new names is no picture to be renamed: nothing is."""
    taken = folder / "00000006.jpg"
    if what == "folder":
        taken.mkdir()
    else:
        taken.symlink_to("/nowhere")
    before = contents(folder)
    with pytest.raises(DataError, match=r"00000006\.jpg: is not renamed, but 'b10\.jpg' would get"):
        renumber_pictures(folder)
    assert contents(folder) == before


def test_a_link_to_a_picture(folder: Path) -> None:
    """It would lead nowhere, or to another picture."""
    (folder / "portrait.jpg").symlink_to("b9.JPG")
    before = contents(folder)
    with pytest.raises(DataError, match=r"portrait\.jpg: is a link to a picture that would be renamed"):
        renumber_pictures(folder)
    assert contents(folder) == before


@pytest.mark.slow
@pytest.mark.parametrize("change", [renumber_pictures, undo_renumbering])
def test_a_kill_at_any_moment(tmp_path: Path, change: Callable[[Path], object]) -> None:
    """Killed before or after any call that changes a file, every picture is there; the next call finishes."""

    def prepare(place: Path) -> dict[str, str]:
        place.mkdir()
        for name in ("0.jpg", "00000001.jpg", "00000002.jpg", "b9.JPG"):
            (place / name).write_text(name)
        if change is undo_renumbering:
            renumber_pictures(place)
        return contents(place)

    before = prepare(tmp_path / "clean")
    change(tmp_path / "clean")
    clean = contents(tmp_path / "clean")
    point = 0
    while True:
        point += 1
        place = tmp_path / str(point)
        prepare(place)
        if kill_points.run_killed(point, CALLS, change, place):
            break
        left = {name: said for name, said in contents(place).items() if not name.endswith(".tmp")}
        assert set(left.values()) == set(before.values()), point
        # What was begun is finished first, even by a call for the opposite.
        renumber_pictures(place)
        assert contents(place) == (before if change is undo_renumbering else clean), point
    assert point > 20
    assert clean != before


def test_a_full_disk(disk: Callable[..., Path]) -> None:
    """The plan cannot be written: nothing was renamed, and it says what to do."""
    place = disk("size=64k")
    (place / "b.jpg").write_text("b")
    filler = fill(place)
    with pytest.raises(CannotWrite, match=r"No space left on device.*make room"):
        renumber_pictures(place)
    assert sorted(path.name for path in place.iterdir()) == ["b.jpg", "filler"]
    filler.unlink()
    renumber_pictures(place)
    assert (place / "00000001.jpg").read_text() == "b"


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "[]",
        '{"id": "../../xx", "phase": "naming", "files": []}',
        '{"id": "0123abcd", "phase": "naming", '
        '"files": [{"old": "a", "new": "../b", "size": 1, "mtime_ns": 1}]}',
    ],
)
def test_a_journal_that_is_none(folder: Path, content: str) -> None:
    """It is refused, and nothing is renamed."""
    (folder / RENUMBER_JOURNAL).write_text(content)
    before = contents(folder)
    for change in (renumber_pictures, undo_renumbering):
        with pytest.raises(DataError, match="must be a journal of face-det"):
            change(folder)
    assert contents(folder) == before


def run(*arguments: object, code: int = 0) -> forked.subprocess.CompletedProcess[str]:
    done = forked.run([sys.executable, "-m", "face_det.cli.main", "renumber", *map(str, arguments)])
    assert done.returncode == code, done.stderr
    return done


def test_the_command(folder: Path) -> None:
    """It says what it did and how to take it back; --json has the names; wrong folders end it with a line."""
    assert "b10.jpg -> 00000006.jpg" in run("-d", folder, "--dry-run").stdout
    said = run("--directory", folder).stdout
    assert said == f"{folder}: 4 pictures renamed, of 6; face-det renumber -d {folder} --undo takes it back\n"
    spaced = folder.with_name("two words")
    spaced.mkdir()
    (spaced / "a.jpg").touch()
    assert "; face-det renumber -d '" in run("-d", spaced).stdout, "it can be pasted"
    found = json.loads(run("-d", folder, "--undo", "--json").stdout)
    assert {"old": "00000006.jpg", "new": "b10.jpg"}.items() <= found["renamed"][-1].items()
    assert "must be a folder, got none" in run("-d", folder / "nowhere", code=65).stderr
    assert "must be a folder, got a file" in run("-d", folder / "notes.txt", code=65).stderr
    assert "nothing was renumbered here" in run("-d", folder / "below.jpg", "--undo", code=65).stderr


def test_ctrl_c_finishes_the_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes in the middle; all pictures have their new names nevertheless."""
    for number in range(20):
        (tmp_path / f"{number}.jpg").write_text(str(number))
    link, calls = os.link, []

    def pressed(*arguments: object, **named: object) -> None:
        link(*arguments, **named)  # type: ignore[arg-type]
        calls.append(arguments)
        if len(calls) == 25:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(os, "link", pressed)
    with pytest.raises(KeyboardInterrupt):
        renumber_pictures(tmp_path)
    assert contents(tmp_path) == {f"{number + 1:08d}.jpg": str(number) for number in range(20)}
