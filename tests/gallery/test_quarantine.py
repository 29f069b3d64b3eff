"""Photos put aside and back, also when somebody is in the way, and after a kill at any point."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from face_det.errors import CannotWrite, DataError, FaceDetError
from face_det.gallery import quarantine, quarantine_journal
from face_det.gallery.dataset import list_photos
from face_det.storage import files

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
    done = quarantine.quarantine_photos(place, [(place / name, "why") for name in names])
    return [str(one.source) for one in done.moved]


def test_aside_and_back(dataset: Path) -> None:
    """Enrolment does not see what is aside; undo leaves not a trace."""
    before = state(dataset)
    assert aside(dataset, "Alice/2.jpg", "Unknown/x y.png") == ["Alice/2.jpg", "Unknown/x y.png"]
    assert {name: len(paths) for name, paths in list_photos(dataset).items()} == {"Alice": 1, "Bob": 1}
    assert [one.why for one in quarantine.list_quarantined(dataset)] == ["why", "why"]
    assert len(quarantine.restore_photos(dataset).back) == 2
    assert state(dataset) == before
    assert not (dataset / quarantine_journal.QUARANTINE_FOLDER).exists()


def test_undo_takes_the_last_move_first(dataset: Path) -> None:
    """One at a time, or all of them."""
    before = state(dataset)
    for name in NAMES[:3]:
        aside(dataset, name)
    assert [str(path) for path in quarantine.restore_photos(dataset).back] == ["Bob/1.jpg"]
    assert len(quarantine.restore_photos(dataset, everything=True).back) == 2
    assert state(dataset) == before


def test_nothing_to_undo(dataset: Path) -> None:
    """No quarantine, no error, no folder."""
    assert quarantine.restore_photos(dataset) == quarantine.RestoreResult((), (), ())
    assert quarantine.quarantine_photos(dataset, []) == quarantine.QuarantineResult((), ())
    assert not (dataset / quarantine_journal.QUARANTINE_FOLDER).exists()


def test_a_name_may_come_twice(dataset: Path) -> None:
    """Another photo of the same name is put aside as well, and neither overwrites the other."""
    aside(dataset, "Bob/1.jpg")
    (dataset / "Bob/1.jpg").write_text("new")
    aside(dataset, "Bob/1.jpg")
    assert [str(path) for path in quarantine.restore_photos(dataset).back] == ["Bob/1.jpg"]
    result = quarantine.restore_photos(dataset)
    assert (result.back, [str(path) for path in result.taken]) == ((), ["Bob/1.jpg"])
    assert (dataset / "Bob/1.jpg").read_text() == "new"
    (left,) = quarantine.list_quarantined(dataset)
    assert (dataset / left.place).read_text() == "photo 2"


def test_without_hard_links(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a memory card: the same, and nothing is overwritten either."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    before = state(dataset)
    aside(dataset, *NAMES)
    assert len(quarantine.restore_photos(dataset).back) == 4
    assert state(dataset) == before
    aside(dataset, "Bob/1.jpg")
    (dataset / "Bob/1.jpg").write_text("new")
    assert quarantine.restore_photos(dataset).back == ()
    assert (dataset / "Bob/1.jpg").read_text() == "new"


def test_folders_that_are_gone_come_back(dataset: Path) -> None:
    """And a photo that somebody took out of quarantine is reported."""
    aside(dataset, "Bob/1.jpg", "Alice/1.jpg")
    (dataset / "Bob").rmdir()
    (dataset / next(iter(quarantine.list_quarantined(dataset))).place).unlink()
    result = quarantine.restore_photos(dataset)
    assert [str(path) for path in result.gone] == ["Bob/1.jpg"]
    assert [str(path) for path in result.back] == ["Alice/1.jpg"]


@pytest.mark.parametrize("path", ["../out.jpg", "Alice/deep/1.jpg", "1.jpg", ".hidden/1.jpg"])
def test_only_photos_of_the_dataset(dataset: Path, path: str) -> None:
    """Nothing else can be moved."""
    with pytest.raises(DataError, match="must be a photo in"):
        quarantine.quarantine_photos(dataset, [(dataset / path, "")])


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
    (dataset / quarantine_journal.QUARANTINE_FOLDER).mkdir()
    (dataset / quarantine_journal.QUARANTINE_FOLDER / quarantine_journal.JOURNAL_NAME).write_text(
        json.dumps(line) + "\n"
    )
    with pytest.raises(DataError, match="must be a journal of face-det"):
        quarantine.restore_photos(dataset)


def test_a_line_that_was_cut_off_means_nothing(dataset: Path) -> None:
    """The next one is written whole."""
    before = state(dataset)
    aside(dataset, "Alice/1.jpg")
    journal = dataset / quarantine_journal.QUARANTINE_FOLDER / quarantine_journal.JOURNAL_NAME
    with journal.open("a") as file:
        file.write('{"move": "2026')
    aside(dataset, "Alice/2.jpg")
    assert len(quarantine.restore_photos(dataset, everything=True).back) == 2
    assert state(dataset) == before


def test_forget_is_for_good(dataset: Path) -> None:
    """A person who is to be forgotten does not stay in quarantine, not by name either."""
    aside(dataset, "Alice/1.jpg", "Bob/1.jpg")
    assert quarantine.delete_quarantined(dataset, "Alice") == 1
    assert (
        "Alice"
        not in (dataset / quarantine_journal.QUARANTINE_FOLDER / quarantine_journal.JOURNAL_NAME).read_text()
    )
    assert [str(path) for path in quarantine.restore_photos(dataset).back] == ["Bob/1.jpg"]
    assert not (dataset / "Alice/1.jpg").exists()
    assert quarantine.delete_quarantined(dataset, "Nobody") == 0


@pytest.mark.parametrize("left", [("Alice",), ("Alice", "1.jpg")])
def test_a_name_without_a_photo_is_forgotten_too(dataset: Path, left: tuple[str, ...]) -> None:
    """An empty folder that a kill left, or a photo of which the journal says nothing."""
    folder = dataset.joinpath(quarantine_journal.QUARANTINE_FOLDER, "20260101-000000-0", "Alice")
    folder.mkdir(parents=True)
    (folder / ".hidden").touch()
    if len(left) > 1:
        (folder / left[1]).touch()
    assert quarantine.quarantine_mentions(dataset, "Alice")
    assert quarantine.delete_quarantined(dataset, "Alice") == len(left) - 1
    assert not quarantine.quarantine_mentions(dataset, "Alice")
    assert not (dataset / quarantine_journal.QUARANTINE_FOLDER).exists()


def test_what_cannot_be_forgotten_is_said(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that has to stay still says who that was."""
    aside(dataset, "Alice/1.jpg")
    monkeypatch.setattr(quarantine.shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(CannotWrite, match="Alice: its files cannot be deleted; remove it by hand"):
        quarantine.delete_quarantined(dataset, "Alice")
    assert quarantine.quarantine_mentions(dataset, "Alice")


def test_without_the_journal_nothing_is_hidden(dataset: Path) -> None:
    """Where a photo lies says whence it came; what the journal lists is younger."""
    before = state(dataset)
    aside(dataset, "Alice/1.jpg")
    (dataset / quarantine_journal.QUARANTINE_FOLDER / quarantine_journal.JOURNAL_NAME).unlink()
    aside(dataset, "Bob/1.jpg")
    whys = [(str(one.source), one.why) for one in quarantine.list_quarantined(dataset)]
    assert whys == [("Alice/1.jpg", quarantine_journal.REASON_NOT_NOTED), ("Bob/1.jpg", "why")]
    assert [str(path) for path in quarantine.restore_photos(dataset).back] == ["Bob/1.jpg"]
    assert [str(path) for path in quarantine.restore_photos(dataset).back] == ["Alice/1.jpg"]
    assert state(dataset) == before
    assert not (dataset / quarantine_journal.QUARANTINE_FOLDER).exists()


def test_only_photos_are_taken_for_photos(dataset: Path) -> None:
    """Not what is hidden, lies elsewhere, or is reached through a link."""
    aside(dataset, "Bob/1.jpg")
    (move,) = quarantine_journal.list_batches(dataset)
    for name in ("stray.jpg", "Bob/.hidden.jpg", "Bob/deep/1.jpg", ".hid/1.jpg"):
        (move / name).parent.mkdir(exist_ok=True)
        (move / name).touch()
    (move / "Linked").symlink_to(dataset / "Alice")
    assert [str(one.source) for one in quarantine.list_quarantined(dataset)] == ["Bob/1.jpg"]


def refusing(monkeypatch: pytest.MonkeyPatch, call: str, name: str) -> None:
    """Have a call to the system fail for one file, as a folder that is immutable makes it."""
    real: Callable[..., Any] = getattr(os, call)

    def called(source: Any, *rest: Any, **options: Any) -> Any:
        if str(source).endswith(name):
            raise OSError(errno.EROFS, "Read-only file system")
        return real(source, *rest, **options)

    monkeypatch.setattr(os, call, called)


def test_one_that_cannot_be_moved_does_not_keep_the_others(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said which, and why; there and back."""
    before = state(dataset)
    with monkeypatch.context() as patch:
        refusing(patch, "replace", "Alice/2.jpg")
        done = quarantine.quarantine_photos(dataset, [(dataset / name, "why") for name in NAMES])
    assert [str(one.source) for one in done.moved] == [NAMES[0], *NAMES[2:]]
    assert [str(one.source) for one in done.failed] == ["Alice/2.jpg"]
    assert "Alice/2.jpg: cannot be written: Read-only file system" in str(done.failed[0].error)
    with monkeypatch.context() as patch:
        refusing(patch, "link", "Bob/1.jpg")
        result = quarantine.restore_photos(dataset)
    assert [str(path) for path in result.back] == [NAMES[0], NAMES[3]]
    assert [str(one.source) for one in result.failed] == ["Bob/1.jpg"]
    assert [str(path) for path in quarantine.restore_photos(dataset).back] == ["Bob/1.jpg"]
    assert state(dataset) == before


def test_a_line_that_does_not_fit_moves_nothing(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full in the middle of it: the photo stays, and the next line is whole."""
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:20]))
        (failed,) = quarantine.quarantine_photos(dataset, [(dataset / "Bob/1.jpg", "why")]).failed
    assert "No space left on device" in str(failed.error)
    assert (dataset / "Bob/1.jpg").is_file()
    assert not (dataset / quarantine_journal.QUARANTINE_FOLDER).exists()
    assert aside(dataset, "Bob/1.jpg") == ["Bob/1.jpg"]


def test_nothing_is_put_back_through_a_link(dataset: Path, tmp_path: Path) -> None:
    """A folder that has become a link to one outside."""
    aside(dataset, "Bob/1.jpg")
    (dataset / "Bob").rmdir()
    (tmp_path / "outside").mkdir()
    (dataset / "Bob").symlink_to(tmp_path / "outside")
    (failed,) = quarantine.restore_photos(dataset).failed
    assert "Bob is a link, and links are not followed" in str(failed.error)
    assert list((tmp_path / "outside").iterdir()) == []
    assert len(quarantine.list_quarantined(dataset)) == 1


def test_folders_are_their_owners_only(dataset: Path) -> None:
    """Those of the quarantine, and a person's that is made again."""
    aside(dataset, "Bob/1.jpg")
    (dataset / "Bob").rmdir()
    made = [path for path in (dataset / quarantine_journal.QUARANTINE_FOLDER).rglob("*") if path.is_dir()]
    assert {
        path.stat().st_mode & 0o777 for path in [dataset / quarantine_journal.QUARANTINE_FOLDER, *made]
    } == {0o700}
    quarantine.restore_photos(dataset)
    assert (dataset / "Bob").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_is_the_datasets_owners(dataset: Path) -> None:
    """Root who looks after the photos does not shut the daemon's user out."""
    os.chown(dataset, 12345, 12346)
    aside(dataset, "Bob/1.jpg")
    (dataset / "Bob").rmdir()
    folder = dataset / quarantine_journal.QUARANTINE_FOLDER
    made = [folder, *(path for path in folder.rglob("*") if path.name != "1.jpg")]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(12345, 12346)}
    quarantine.restore_photos(dataset)
    assert ((dataset / "Bob").stat().st_uid, (dataset / "Bob").stat().st_gid) == (12345, 12346)


@pytest.mark.parametrize(
    "what", [lambda place: quarantine.restore_photos(place), lambda place: aside(place, NAMES[0])]
)
def test_what_a_kill_leaves_is_tidied(dataset: Path, what: Callable[[Path], object]) -> None:
    """An empty folder says who somebody is, too; so may half of a journal."""
    left = dataset / quarantine_journal.QUARANTINE_FOLDER / "20260101-000000-0" / "Alice"
    left.mkdir(parents=True)
    temporary = dataset / quarantine_journal.QUARANTINE_FOLDER / ".face_det-0123456789abcdef.tmp"
    temporary.touch()
    what(dataset)
    assert not left.parent.exists()
    assert not temporary.exists()
    quarantine.restore_photos(dataset)
    assert not (dataset / quarantine_journal.QUARANTINE_FOLDER).exists()


def test_who_waits_does_not_hold_what_was_deleted(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One undo tidies the quarantine away, the next waits for it, a third makes it anew: one at a time."""
    aside(dataset, "Alice/1.jpg")
    tidy, note = quarantine._remove_empty_folders, quarantine_journal.append_entry
    noting: list[object] = []
    beside: list[int] = []
    waiting = threading.Thread(target=quarantine.restore_photos, args=(dataset,))
    moving = threading.Thread(target=aside, args=(dataset, "Bob/1.jpg"))

    def tidying(place: Path) -> None:
        if threading.current_thread() is waiting:
            beside.append(len(noting))
        if threading.current_thread() is threading.main_thread():
            waiting.start()
            waiting.join(0.3)
        tidy(place)
        if threading.current_thread() is threading.main_thread():
            moving.start()
            moving.join(0.3)

    def noted(*rest: Any) -> None:
        noting.append(rest)
        waiting.join(0.5)
        note(*rest)
        noting.pop()

    with monkeypatch.context() as patch:
        patch.setattr(quarantine, "_remove_empty_folders", tidying)
        patch.setattr(quarantine_journal, "append_entry", noted)
        quarantine.restore_photos(dataset)
        waiting.join()
        moving.join()
    assert beside == [0]
    assert not waiting.is_alive()
    assert [str(path) for path in quarantine.restore_photos(dataset).back] in (["Bob/1.jpg"], [])
    assert (dataset / "Bob/1.jpg").is_file()


def test_many_at_once(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that put aside and undo: one at a time, no error, and in the end all is back."""
    before = state(dataset)
    held = files.lock_folders
    inside: list[object] = []
    errors: list[object] = []

    @contextmanager
    def counted(folders: list[Path]) -> Iterator[None]:
        with held(folders):
            inside.append(folders)
            errors.extend(["two at once"] * (len(inside) > 1))
            yield
            inside.pop()

    def busy(seed: int) -> None:
        chosen = random.Random(seed)
        for _ in range(40):
            try:
                if chosen.random() < 0.5:
                    done = quarantine.quarantine_photos(dataset, [(dataset / name, "why") for name in NAMES])
                    errors.extend(done.failed)
                else:
                    result = quarantine.restore_photos(dataset, everything=chosen.random() < 0.5)
                    errors.extend([*result.failed, *result.taken, *result.gone])
            except FaceDetError as error:
                errors.append(error)

    monkeypatch.setattr(quarantine, "lock_folders", counted)
    threads = [threading.Thread(target=busy, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    quarantine.restore_photos(dataset, everything=True)
    assert errors == []
    assert state(dataset) == before


CALLS = ("link", "unlink", "fsync", "mkdir", "rmdir", "replace", "open", "write")
FORKING = """
import json, os, sys, traceback
sys.path.insert(0, sys.argv[1])
from face_det.gallery import quarantine
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            exec(json.loads(line), {})
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""A process that runs each line of its input in a child of its own: starting Python for each takes longer."""

KILLED = """
import os, pathlib
from face_det.gallery import quarantine
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
ASIDE = "quarantine.quarantine_photos(dataset, [(dataset / name, 'why') for name in {names!r}])"
UNDO = "quarantine.restore_photos(dataset)"
FORGET = "quarantine.delete_quarantined(dataset, 'Alice')"


@pytest.fixture(scope="module")
def forking() -> Iterator[subprocess.Popen[str]]:
    """The process of FORKING."""
    package = str(Path(quarantine.__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", FORKING, package],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


@pytest.fixture
def die(dataset: Path, forking: subprocess.Popen[str]) -> Callable[..., bool]:
    """Run something in a process that is killed before its call number `after`; whether it was."""
    assert forking.stdin is not None
    assert forking.stdout is not None
    to, back = forking.stdin, forking.stdout

    def run(what: str, after: int, *, no_links: bool) -> bool:
        code = KILLED.format(dataset=str(dataset), after=after, calls=CALLS, what=what, no_links=no_links)
        to.write(json.dumps(code) + "\n")
        to.flush()
        ended = int(back.readline())
        assert ended in (0, 9)
        return ended == 9

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
        quarantine.restore_photos(dataset, everything=True)
        assert {name: found for name, found in state(dataset).items() if name in NAMES} == before, after
        if not killed:
            break
        assert after < 60
    assert after > 6


def test_forgetting_that_is_killed_goes_on(dataset: Path, die: Callable[..., bool]) -> None:
    """Killed before each call to the system in turn: the next call finds whom to forget, or nobody can."""
    after, killed = 0, True
    while killed:
        after += 1
        aside(dataset, *NAMES[:3])
        killed = die(FORGET, after, no_links=False)
        if quarantine.quarantine_mentions(dataset, "Alice"):
            quarantine.delete_quarantined(dataset, "Alice")
        left = list((dataset / quarantine_journal.QUARANTINE_FOLDER).rglob("*"))
        assert not [path for path in left if "Alice" in str(path.relative_to(dataset))], after
        assert not [path for path in left if path.is_file() and b"Alice" in path.read_bytes()], after
        assert [str(path) for path in quarantine.restore_photos(dataset, everything=True).back] == [
            "Bob/1.jpg"
        ], after
        for name in NAMES[:2]:
            (dataset / name).write_text("anew")
        assert after < 60
    assert after > 6
