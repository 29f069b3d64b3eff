"""Replaces files as a whole: readers find the old content or the new, never a mixture, even after kill -9.

One file: write a temporary file beside it, fsync it, rename it over the target, fsync the folder.

Several files, possibly in several folders: a write-ahead journal.
1. Each new content goes to a temporary file beside its target.
2. Each folder gets a journal that lists every folder and what is to happen to the files in it.
3. The change is committed once **every** folder holds its journal. Then come the renames and deletions.
4. The journals are removed.
A process that finds a journal (`recover_folder`) looks into the folders that it lists. If all of them hold
the same journal, the change is rolled forward from step 3, which is safe to repeat. If one does not, either
nothing has been renamed yet or everything has, so the journal and the temporary files are removed.
Journals name folders relative to their own, so a tree may be moved or mounted elsewhere in between.

Readers and writers hold a flock on the folders while they work, which takes milliseconds, so `read_files`
sees all its files in one state. `lock_for_update` is a separate lock, for read-modify-write.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from face_det.errors import Busy, DataError
from face_det.storage.files import (
    RESERVED_PREFIX,
    TEMPORARY_NAME,
    lock_folders,
    read_if_present,
    replace_without_lock,
    report_write_errors,
    require_regular_file,
    sync_folder,
    write_temporary,
)

TRANSACTION_JOURNAL = RESERVED_PREFIX + "journal.json"
_LOCK_MODE = 0o666
"""Anyone who may enter the folder may take the lock: a lock file that root made must not shut out the
daemon's user. There is nothing secret in it."""
_UNFINISHED = "the next command that reads these files will finish the change"


@dataclass(frozen=True, slots=True)
class _TransactionJournal:
    """A change of several files. For each folder it maps a file name to the temporary file that will
    replace it, or to None if it will be deleted."""

    id: str
    folders: dict[Path, dict[str, str | None]]


@contextmanager
def lock_for_update(path: Path, *, timeout_s: float = 60.0) -> Iterator[None]:
    """Keep other processes and threads from changing `path` between our read and our write.

    Readers are not blocked. The lock is not re-entrant. Raises Busy after `timeout_s` seconds, and
    CannotWrite if the lock file cannot be made.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     counter = Path(folder, "counter")
    ...     with lock_for_update(counter):
    ...         before = read_files([counter])[counter] or b"0"
    ...         write_atomically(counter, b"%d" % (int(before) + 1))
    ...     counter.read_bytes()
    b'1'
    """
    path = Path(os.path.realpath(path))
    require_lock(path)
    lock = FileLock(_lock_path(path), mode=_LOCK_MODE)
    with report_write_errors(path):
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise Busy(
                f"{path}: somebody else has been changing it for {timeout_s:g} s; try again"
            ) from error
    try:
        yield
    finally:
        lock.release()


def require_lock(path: Path) -> None:
    """Make the lock file of `path` if it is missing; raise CannotWrite if that cannot be done.

    FileLock would keep trying until its timeout, and blame somebody else.

    >>> require_lock(Path("no such folder", "counter"))
    Traceback (most recent call last):
    face_det.errors.CannotWrite: no such folder/counter: cannot be written: No such file or directory; \
nothing was changed
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with report_write_errors(path), suppress(FileExistsError):
        descriptor = os.open(_lock_path(path), flags, 0o600)
        try:
            os.fchmod(descriptor, _LOCK_MODE)
        finally:
            os.close(descriptor)


def _lock_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file as a whole, or create it.

    An existing file keeps its mode and owner; a new one is readable by its owner only (0600). Raises
    CannotWrite if the disk is full or the folder is not writable; the old file is then untouched.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder, "labels"), b"bob")
    ...     Path(folder, "labels").read_bytes()
    b'bob'
    """
    path = Path(os.path.realpath(path))
    with lock_folders([path.parent]):
        replace_without_lock(path, data)


def replace_files(files: Mapping[Path, bytes | None]) -> None:
    """Replace all of these files or none of them; None deletes a file. Raises what write_atomically raises.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     model, labels = Path(folder, "model"), Path(folder, "labels")
    ...     replace_files({model: b"weights", labels: b"bob"})
    ...     replace_files({model: b"newer weights", labels: None})
    ...     model.read_bytes(), labels.exists()
    (b'newer weights', False)
    """
    real = {Path(os.path.realpath(path)): data for path, data in files.items()}
    journal = _TransactionJournal(secrets.token_hex(8), {path.parent: {} for path in sorted(real)})
    with _lock_recovered(list(journal.folders)):
        try:
            for path, data in real.items():
                # Checked now, because there is no way back once the change is committed.
                require_regular_file(path)
                temporary = None if data is None else write_temporary(path, data).name
                journal.folders[path.parent][path.name] = temporary
            for folder in journal.folders:
                sync_folder(folder)
            for folder in journal.folders:
                replace_without_lock(folder / TRANSACTION_JOURNAL, _journal_as_json(journal, folder))
        except BaseException:
            _roll_back(journal)
            raise
        _roll_forward(journal)


def read_files(paths: Iterable[Path], *, max_bytes: int = 2**40) -> dict[Path, bytes | None]:
    """Read several files in one consistent state, recovering their folders first.

    A file that does not exist maps to None. Raises DataError for a file that cannot be read, is not a
    regular file, or is larger than `max_bytes`.

    >>> read_files([Path("no such file")])
    {PosixPath('no such file'): None}
    """
    real = {path: Path(os.path.realpath(path)) for path in paths}
    folders = {path.parent for path in real.values() if path.parent.is_dir()}
    with _lock_recovered(sorted(folders), shared=True):
        return {path: read_if_present(place, max_bytes) for path, place in real.items()}


def recover_folder(folder: Path) -> None:
    """Finish a change of several files that was cut off, and remove temporary files left behind.

    Nothing happens if the folder does not exist or holds no leftovers. Raises DataError for a journal
    that is not ours, or if a folder that it names is missing.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, ".face_det-0123456789abcdef.tmp").touch()
    ...     recover_folder(Path(folder))
    ...     list(Path(folder).iterdir())
    []
    """
    folder = Path(os.path.realpath(folder))
    while _leftovers(folder):
        journal = _read_journal(folder)
        group = {folder} if journal is None else {folder, *journal.folders}
        with lock_folders(group):
            journal = _read_journal(folder)
            if journal is not None and not group.issuperset(journal.folders):
                continue  # another process recovered it first, and was itself cut off
            if journal is not None and _is_committed(journal):
                _roll_forward(journal)
            for name in _leftovers(folder):
                with suppress(OSError):  # a reader without write permission leaves them there
                    (folder / name).unlink(missing_ok=True)
        return


@contextmanager
def _lock_recovered(folders: list[Path], *, shared: bool = False) -> Iterator[None]:
    """Recover the folders, then hold locks on them while no cut-off change is left in any of them."""
    while True:
        for folder in folders:
            recover_folder(folder)
        with lock_folders(folders, shared=shared):
            journals = [_read_journal(folder) for folder in folders]
            if not any(journal is not None and _is_committed(journal) for journal in journals):
                yield
                return


def _is_committed(journal: _TransactionJournal) -> bool:
    """Return True if every folder holds the journal: step 2 is done and step 4 has not begun."""
    return all(_read_journal(folder) == journal for folder in journal.folders)


def _roll_forward(journal: _TransactionJournal) -> None:
    """Do steps 3 and 4. A temporary file that is missing was renamed by an earlier attempt."""
    for folder, changes in journal.folders.items():
        with report_write_errors(folder, _UNFINISHED):
            for name, temporary in changes.items():
                if temporary is None:
                    (folder / name).unlink(missing_ok=True)
                else:
                    with suppress(FileNotFoundError):
                        (folder / temporary).replace(folder / name)
            sync_folder(folder)
    for folder in journal.folders:
        with report_write_errors(folder, _UNFINISHED):
            (folder / TRANSACTION_JOURNAL).unlink(missing_ok=True)
            sync_folder(folder)


def _roll_back(journal: _TransactionJournal) -> None:
    """Undo steps 1 and 2. The journals go first: a change that lacks one is never rolled forward."""
    for folder in journal.folders:
        with report_write_errors(folder):
            # On a read-only file system, removing even a missing file is an error.
            if os.path.lexists(folder / TRANSACTION_JOURNAL):
                (folder / TRANSACTION_JOURNAL).unlink(missing_ok=True)
    for folder, changes in journal.folders.items():
        for temporary in changes.values():
            if temporary is not None:
                with suppress(OSError):  # the next change removes it
                    (folder / temporary).unlink(missing_ok=True)


def _leftovers(folder: Path) -> list[str]:
    """List temporary files, then the journal. It goes last: as long as it exists, the rest can be found."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"{folder}: must be a readable folder, got {error.strerror}") from error
    found = [name for name in names if TEMPORARY_NAME.fullmatch(name)]
    return [*found, TRANSACTION_JOURNAL] if TRANSACTION_JOURNAL in names else found


def _journal_as_json(journal: _TransactionJournal, folder: Path) -> bytes:
    folders = {os.path.relpath(other, folder): changes for other, changes in journal.folders.items()}
    return json.dumps({"id": journal.id, "folders": folders}).encode()


def _read_journal(folder: Path) -> _TransactionJournal | None:
    """Read the folder's journal, if there is one. It may only name plain files in existing folders."""
    place = folder / TRANSACTION_JOURNAL
    data = read_if_present(place, 2**20)
    if data is None:
        return None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: must be a journal of face-det, got {error}; move it away") from error
    if not _is_journal(content):
        raise DataError(f"{place}: must be a journal of face-det, got something else; move it away")
    named = content["folders"].items()
    try:
        folders = {Path(os.path.realpath(folder / other)): changes for other, changes in named}
        there = {other: other.is_dir() for other in folders}
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(f"{place}: names something that is not a folder: {why}; move it away") from error
    for other in folders:
        if not there[other]:
            raise DataError(
                f"{place}: a change of several files was cut off, and the folder {_printable_path(other)} is "
                "not there; put it back, or remove the journal and train again"
            )
    return _TransactionJournal(content["id"], folders)


def _is_journal(content: Any) -> bool:
    if not isinstance(content, dict) or not isinstance(content.get("folders"), dict):
        return False
    folders = content["folders"].values()
    return isinstance(content.get("id"), str) and all(
        isinstance(changes, dict)
        and all(
            _is_plain_name(name)
            and (temporary is None or (isinstance(temporary, str) and TEMPORARY_NAME.fullmatch(temporary)))
            for name, temporary in changes.items()
        )
        for changes in folders
    )


def _is_plain_name(name: str) -> bool:
    """Return True if the name can only be a file in the folder itself."""
    return Path(name).name == name and name not in ("", "..") and "\0" not in name and name.isprintable()


def _printable_path(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() and len(text) <= 300 else ascii(text[:300])
