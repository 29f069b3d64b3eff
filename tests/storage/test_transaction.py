"""Files are replaced whole and together, whatever happens in between."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kill_points
import pytest

from face_det.errors import Busy, CannotWrite, DataError, FaceDetError
from face_det.storage import files as storage_files
from face_det.storage import transaction


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def opened(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def contents(folder: Path) -> list[bytes | None]:
    found = transaction.read_files(kill_points.files(folder))
    return [found[path] for path in kill_points.files(folder)]


@pytest.mark.parametrize(
    "write", [transaction.write_atomically, lambda path, data: transaction.replace_files({path: data})]
)
def test_pipes_are_not_replaced(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    """A pipe or device is refused: its readers would wait forever, and /dev/null would become a file."""
    os.mkfifo(tmp_path / "x")
    with pytest.raises(FaceDetError, match="x: must be a file, got a device or a pipe"):
        write(tmp_path / "x", b"1")
    assert (tmp_path / "x").is_fifo()
    assert names(tmp_path) == ["x"]


def test_new_file_is_its_owners_only(tmp_path: Path) -> None:
    """Encodings identify people, so a new file is readable by its owner only."""
    transaction.write_atomically(tmp_path / "x", b"1")
    assert (tmp_path / "x").read_bytes() == b"1"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


def test_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    """A file that was shared with others stays shared."""
    (tmp_path / "x").write_bytes(b"0")
    (tmp_path / "x").chmod(0o664)
    transaction.write_atomically(tmp_path / "x", b"1")
    transaction.replace_files({tmp_path / "x": b"2"})
    assert (tmp_path / "x").read_bytes() == b"2"
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o664
    assert names(tmp_path) == ["x"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_replaced_file_keeps_its_owner(tmp_path: Path) -> None:
    """When root encodes, the file still belongs to the daemon's user."""
    (tmp_path / "x").write_bytes(b"0")
    os.chown(tmp_path / "x", 12345, 23456)
    transaction.write_atomically(tmp_path / "x", b"1")
    assert ((tmp_path / "x").stat().st_uid, (tmp_path / "x").stat().st_gid) == (12345, 23456)


def test_link_stays_a_link(tmp_path: Path) -> None:
    """A linked file is replaced where it really is."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_bytes(b"0")
    (tmp_path / "x").symlink_to(tmp_path / "real" / "x")
    transaction.write_atomically(tmp_path / "x", b"1")
    assert (tmp_path / "x").is_symlink()
    assert (tmp_path / "real" / "x").read_bytes() == b"1"


def test_content_is_on_disk_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync the file, rename, fsync the folder: a power cut leaves the old file or the new one."""
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        seen.append(f"fsync {opened(descriptor).name[:9]}")
        fsync(descriptor)

    def note_replace(self: Path, target: Path) -> Path:
        seen.append(f"replace {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    transaction.write_atomically(tmp_path / "x", b"1")
    assert seen == ["fsync .face_det", "replace x", f"fsync {tmp_path.name[:9]}"]


def test_all_or_nothing_at_every_kill_point(tmp_path: Path) -> None:
    """SIGKILL before and after each system call: files are all old or all new, and nothing is left over."""
    command = [sys.executable, str(Path(kill_points.__file__)), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    points = int(done.stdout)
    before, after = [None, b"old", b"old"], [b"new", None, b"new"]
    verdicts = []
    for point in range(1, points + 1):
        folder = tmp_path / str(point)
        found = contents(folder)
        assert found in (before, after), point
        verdicts.append(found == after)
        transaction.recover_folder(folder / "b")
        assert all(not name.startswith(".face_det") for sub in "ab" for name in names(folder / sub)), point
    assert points > 40
    # Old up to some point, new from there on.
    assert verdicts == sorted(verdicts)
    assert verdicts[0] is False
    assert verdicts[-1] is True


WRITER = """
import sys, time
from pathlib import Path
from face_det.storage import transaction
files = [Path(name) for name in sys.argv[1:]]
print("ready", flush=True)
for generation in range(10**9):
    transaction.replace_files({file: str(generation).encode() * 1000 for file in files})
    time.sleep(0.001)  # flock is not fair
"""


def test_random_kills(tmp_path: Path) -> None:
    """After random kills of a busy writer, all files are of one generation."""
    chance = random.Random(7)
    for _ in range(8):
        for name in ("a", "b"):
            (tmp_path / name).mkdir(exist_ok=True)
        files = kill_points.files(tmp_path)
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, *map(str, files)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            # A random delay, because the moment of the kill is what is tested.
            time.sleep(chance.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
        assert len(set(contents(tmp_path))) == 1


def test_readers_see_one_state(tmp_path: Path) -> None:
    """While one process replaces files, another never reads one new and one old."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    files = kill_points.files(tmp_path)
    with subprocess.Popen([sys.executable, "-c", WRITER, *map(str, files)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        states = [contents(tmp_path) for _ in range(300)]
        writer.kill()
    assert all(len(set(state)) == 1 for state in states)
    assert len({state[0] for state in states}) > 1


def test_threads_do_not_collide(tmp_path: Path) -> None:
    """When threads replace the same files, the result is one thread's."""
    files = [tmp_path / "x", tmp_path / "y"]

    def replace(content: bytes) -> None:
        for _ in range(20):
            transaction.replace_files(dict.fromkeys(files, content))

    threads = [threading.Thread(target=replace, args=(str(i).encode(),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files[0].read_bytes() == files[1].read_bytes()
    assert names(tmp_path) == ["x", "y"]


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_full_disk_leaves_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """If any content or journal does not fit on the disk, the old files are there and nothing else."""
    kill_points.old(tmp_path)
    fsync, calls = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal calls
        if opened(descriptor).name.startswith(".face_det-"):
            calls += 1
            if calls == failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FaceDetError, match="No space left on device; nothing was changed"):
        kill_points.replace(tmp_path)
    assert contents(tmp_path) == [None, b"old", b"old"]
    assert names(tmp_path / "a") == ["model"]
    assert names(tmp_path / "b") == ["labels"]


def test_really_full_disk(tmp_path: Path) -> None:
    """Content that does not fit on a small file system is refused, and the old file stays."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        transaction.write_atomically(tmp_path / "x", b"old")
        for write in (
            transaction.write_atomically,
            lambda path, data: transaction.replace_files({path: data}),
        ):
            with pytest.raises(FaceDetError, match="No space left on device"):
                write(tmp_path / "x", bytes(200_000))
        assert (tmp_path / "x").read_bytes() == b"old"
        assert names(tmp_path) == ["x"]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_folder_in_the_way(tmp_path: Path) -> None:
    """A folder in place of a file is noticed before anything is changed, even for a deletion."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "x").write_bytes(b"old")
    for data in (b"new", None):
        with pytest.raises(FaceDetError, match="folder: must be a file, got a folder"):
            transaction.replace_files({tmp_path / "x": b"new", tmp_path / "folder": data})
    assert (tmp_path / "x").read_bytes() == b"old"
    assert names(tmp_path) == ["folder", "x"]


def test_missing_folder(tmp_path: Path) -> None:
    """Writing into a missing folder is a FaceDetError; reading from it finds nothing."""
    with pytest.raises(FaceDetError, match="cannot be written: No such file"):
        transaction.write_atomically(tmp_path / "no" / "x", b"1")
    path = tmp_path / "no" / "x"
    assert transaction.read_files([path]) == {path: None}
    transaction.recover_folder(tmp_path / "no")


def test_orphans_are_swept_and_other_files_are_not(tmp_path: Path) -> None:
    """A temporary file left by a kill is removed; one that only looks similar stays."""
    mine, others = tmp_path / ".face_det-0123456789abcdef.tmp", tmp_path / ".face_det-notes.tmp"
    for path in (mine, others):
        path.write_bytes(b"")
    transaction.recover_folder(tmp_path)
    assert names(tmp_path) == [others.name]


def test_sweeping_waits_for_the_writer(tmp_path: Path) -> None:
    """Another writer's temporary file is not removed while it is being written."""
    temporary = tmp_path / ".face_det-0123456789abcdef.tmp"
    swept = threading.Event()

    def sweep() -> None:
        transaction.recover_folder(tmp_path)
        swept.set()

    with storage_files.lock_folders([tmp_path]):
        temporary.write_bytes(b"")
        thread = threading.Thread(target=sweep)
        thread.start()
        assert not swept.wait(0.2)
        assert temporary.exists()
    thread.join()
    assert not temporary.exists()


def _cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of three files, cut off right after it was committed."""
    kill_points.old(tmp_path)

    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(transaction, "_roll_forward", stop)
        with pytest.raises(KeyboardInterrupt):
            kill_points.replace(tmp_path)


def test_tree_may_be_moved_before_recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals name folders relative to their own."""
    _cut_off(tmp_path / "here", monkeypatch)
    (tmp_path / "here").rename(tmp_path / "there")
    transaction.recover_folder(tmp_path / "there" / "b")
    assert contents(tmp_path / "there") == [b"new", None, b"new"]
    assert names(tmp_path / "there" / "a") == ["encodings"]


def test_folder_lost_before_recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If part of a change is out of reach, the error says so and nothing is thrown away."""
    _cut_off(tmp_path, monkeypatch)
    (tmp_path / "b").rename(tmp_path / "elsewhere")
    with pytest.raises(
        DataError, match=r"a change of several files was cut off, and the folder .*b is not there"
    ):
        transaction.read_files([tmp_path / "a" / "model"])
    (tmp_path / "elsewhere").rename(tmp_path / "b")
    assert contents(tmp_path) == [b"new", None, b"new"]


def test_next_change_finishes_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut-off change is finished before another begins in one of its folders."""
    _cut_off(tmp_path, monkeypatch)
    transaction.replace_files({tmp_path / "b" / "labels": b"newer"})
    assert contents(tmp_path) == [b"new", None, b"newer"]


@pytest.mark.parametrize(
    "journal",
    [
        b"",
        b"[]",
        b'{"id": "1", "folders": {".": {"../x": null}}}',
        b'{"id": "1", "folders": {".": {"x": "y"}}}',
        b'{"id": 1, "folders": {}}',
    ],
)
def test_foreign_journal_is_not_obeyed(tmp_path: Path, journal: bytes) -> None:
    """A foreign journal, or one that names files elsewhere, is refused with its path."""
    (tmp_path / transaction.TRANSACTION_JOURNAL).write_bytes(journal)
    with pytest.raises(DataError, match=r"\.face_det-journal\.json: must be a journal of face-det"):
        transaction.recover_folder(tmp_path)


def test_journal_planted_in_one_folder_does_not_reach_another(tmp_path: Path) -> None:
    """A journal acts on a folder only if that folder holds it too."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "b" / "precious").write_bytes(b"1")
    (tmp_path / "a" / transaction.TRANSACTION_JOURNAL).write_text(
        '{"id": "1", "folders": {".": {}, "../b": {"precious": null}}}'
    )
    transaction.recover_folder(tmp_path / "a")
    assert (tmp_path / "b" / "precious").exists()
    assert names(tmp_path / "a") == []


def test_what_is_read_is_a_file_of_a_sensible_size(tmp_path: Path) -> None:
    """A folder, a pipe without a writer and a file that is too large fail at once."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(11))
    for name, expected in {
        "pipe": "must be a file",
        ".": "must be a readable file",
        "large": "larger than 10 bytes",
    }.items():
        with pytest.raises(DataError, match=expected):
            storage_files.read_if_present(tmp_path / name, 10)


def test_locked_excludes_other_processes(tmp_path: Path) -> None:
    """The second process to read, change and write waits, and gets Busy if that takes too long."""
    code = "import sys; from pathlib import Path; from face_det.storage import transaction\n"
    code += "with transaction.lock_for_update(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    path = tmp_path / "encodings.pickle"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], **pipes) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        with pytest.raises(Busy, match=r"encodings\.pickle: somebody else has been changing it for 0\.1 s"):
            transaction.lock_for_update(path, timeout_s=0.1).__enter__()
        assert transaction.read_files([path]) == {path: None}
        holder.stdin.close()
    with transaction.lock_for_update(path, timeout_s=10):
        transaction.write_atomically(path, b"1")


def test_locked_lets_errors_of_its_body_pass(tmp_path: Path) -> None:
    """Only errors of the lock itself are reported as such."""
    with pytest.raises(FileNotFoundError), transaction.lock_for_update(tmp_path / "x"):
        raise FileNotFoundError


def test_folders_without_flock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network file system that has no flock for folders, a lock file stands in."""
    import fcntl

    def none(descriptor: int, operation: int) -> None:
        if opened(descriptor).is_dir():
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(descriptor, operation)

    flock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", none)
    transaction.replace_files({tmp_path / "x": b"1"})
    assert names(tmp_path) == [".face_det.lock", "x"]


@pytest.mark.parametrize("place", ["/proc/x", "missing/x"])
def test_a_lock_that_cannot_be_made_is_not_waited_for(tmp_path: Path, place: str) -> None:
    """The true reason at once, instead of a minute later that somebody else holds it."""
    waited = pytest.raises(CannotWrite, match="cannot be written: No such file or directory")
    with waited, transaction.lock_for_update(tmp_path / place, timeout_s=1):
        pass
