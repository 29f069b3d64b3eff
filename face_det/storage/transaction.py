"""Files that are replaced whole: the old content or the new, never half, also under kill -9.

One file: write a temporary file beside it, fsync, rename over it, fsync the folder.

Several files, which may lie in several folders: a write-ahead journal.
1. Every new content goes to a temporary file beside its target.
2. Each folder gets a journal that names all folders and what is to become of their files.
3. The change counts once **every** folder holds its journal: then the renames and deletions follow.
4. The journals go.
Whoever finds a journal (`recover`) looks into the folders it names. If all hold that journal, the
change is carried on from step 3, which may be done twice; if one does not, either nothing has been
renamed yet or everything has, so the journal and the temporary files are swept. Journals name
folders relative to their own, so that a tree may be moved or mounted elsewhere in between.

Readers and writers hold a flock on the folders while they work: a matter of milliseconds, and
`read_all` sees one state of all its files. `locked` is another lock, for read-change-write.
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
from face_det.storage import files as atomic

TRANSACTION_JOURNAL = atomic.RESERVED_PREFIX + "journal.json"
_UNFINISHED = "the rest of the change is carried on by the next command that reads it"


@dataclass(frozen=True, slots=True)
class _TransactionJournal:
    """A change of several files: for each folder, file name -> the temporary file that is to
    replace it, or None: to be deleted."""

    id: str
    folders: dict[Path, dict[str, str | None]]


@contextmanager
def lock_for_update(path: Path, *, timeout_s: float = 60.0) -> Iterator[None]:
    """Keep other processes and threads from changing `path` between a read and a write of ours.

    Readers are not held up. Not re-entrant. Raises Busy after `timeout_s`.
    """
    path = Path(os.path.realpath(path))
    # Whoever may enter the folder may take the lock: a file that root made must not shut the
    # daemon's user out. There is nothing secret in it.
    lock = FileLock(path.with_name(f".{path.name}.lock"), mode=0o666)
    with atomic.report_write_errors(path):
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


def write_atomically(path: Path, data: bytes) -> None:
    """Replace one file, or make it. It keeps its mode and owner; a new one is its owner's only (0600).

    Raises FaceDetError if the disk is full or the folder refuses; the old file is then untouched.
    """
    path = Path(os.path.realpath(path))
    with atomic.lock_folders([path.parent]):
        atomic.replace_without_lock(path, data)


def replace_files(files: Mapping[Path, bytes | None]) -> None:
    """Replace all these files, or none of them; None deletes one. Raises as write_atomically does."""
    real = {Path(os.path.realpath(path)): data for path, data in files.items()}
    journal = _TransactionJournal(secrets.token_hex(8), {path.parent: {} for path in sorted(real)})
    with _lock_recovered(list(journal.folders)):
        try:
            for path, data in real.items():
                # Now, because once the change counts there is no way back.
                atomic.require_regular_file(path)
                temporary = None if data is None else atomic.write_temporary(path, data).name
                journal.folders[path.parent][path.name] = temporary
            for folder in journal.folders:
                atomic.sync_folder(folder)
            for folder in journal.folders:
                atomic.replace_without_lock(folder / TRANSACTION_JOURNAL, _journal_as_json(journal, folder))
        except BaseException:
            _roll_back(journal)
            raise
        _roll_forward(journal)


def read_files(paths: Iterable[Path], *, max_bytes: int = 2**40) -> dict[Path, bytes | None]:
    """One state of several files, after `recover`; None for a file that is not there.

    Raises DataError for a file that cannot be read, is no regular file, or is larger than max_bytes.
    """
    real = {path: Path(os.path.realpath(path)) for path in paths}
    folders = {path.parent for path in real.values() if path.parent.is_dir()}
    with _lock_recovered(sorted(folders), shared=True):
        return {path: atomic.read_if_present(place, max_bytes) for path, place in real.items()}


def recover_folder(directory: Path) -> None:
    """Carry on a change of several files that was cut off, and sweep temporary files left behind."""
    directory = Path(os.path.realpath(directory))
    while _leftovers(directory):
        journal = _read_journal(directory)
        group = {directory} if journal is None else {directory, *journal.folders}
        with atomic.lock_folders(group):
            journal = _read_journal(directory)
            if journal is not None and not group.issuperset(journal.folders):
                continue  # somebody was quicker, and cut off in his turn
            if journal is not None and _is_committed(journal):
                _roll_forward(journal)
            for name in _leftovers(directory):
                with suppress(OSError):  # a reader that may not write here leaves them lying
                    (directory / name).unlink(missing_ok=True)
        return


@contextmanager
def _lock_recovered(folders: list[Path], *, shared: bool = False) -> Iterator[None]:
    """Hold folders in which no change is cut off."""
    while True:
        for folder in folders:
            recover_folder(folder)
        with atomic.lock_folders(folders, shared=shared):
            journals = [_read_journal(folder) for folder in folders]
            if not any(journal is not None and _is_committed(journal) for journal in journals):
                yield
                return


def _is_committed(journal: _TransactionJournal) -> bool:
    """Whether every folder holds the journal: past step 2, and not yet at step 4."""
    return all(_read_journal(folder) == journal for folder in journal.folders)


def _roll_forward(journal: _TransactionJournal) -> None:
    """Steps 3 and 4. A temporary file that is gone has been renamed by an earlier attempt."""
    for folder, changes in journal.folders.items():
        with atomic.report_write_errors(folder, _UNFINISHED):
            for name, temporary in changes.items():
                if temporary is None:
                    (folder / name).unlink(missing_ok=True)
                else:
                    with suppress(FileNotFoundError):
                        (folder / temporary).replace(folder / name)
            atomic.sync_folder(folder)
    for folder in journal.folders:
        with atomic.report_write_errors(folder, _UNFINISHED):
            (folder / TRANSACTION_JOURNAL).unlink(missing_ok=True)
            atomic.sync_folder(folder)


def _roll_back(journal: _TransactionJournal) -> None:
    """Steps 1 and 2 undone. The journals go first: without all of them nothing is carried on."""
    for folder in journal.folders:
        with atomic.report_write_errors(folder):
            # On a file system that is read-only, to remove what is not there is an error, too.
            if os.path.lexists(folder / TRANSACTION_JOURNAL):
                (folder / TRANSACTION_JOURNAL).unlink(missing_ok=True)
    for folder, changes in journal.folders.items():
        for temporary in changes.values():
            if temporary is not None:
                with suppress(OSError):  # the next change sweeps it
                    (folder / temporary).unlink(missing_ok=True)


def _leftovers(folder: Path) -> list[str]:
    """Temporary files and the journal. The journal last: while it lies there, what it names can be found."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"{folder}: must be a folder that can be read, got {error.strerror}") from error
    found = [name for name in names if atomic.TEMPORARY_NAME.fullmatch(name)]
    return [*found, TRANSACTION_JOURNAL] if TRANSACTION_JOURNAL in names else found


def _journal_as_json(journal: _TransactionJournal, folder: Path) -> bytes:
    folders = {os.path.relpath(other, folder): changes for other, changes in journal.folders.items()}
    return json.dumps({"id": journal.id, "folders": folders}).encode()


def _read_journal(folder: Path) -> _TransactionJournal | None:
    """The folder's journal, if there is one. It may only name plain files of folders that are there."""
    place = folder / TRANSACTION_JOURNAL
    data = atomic.read_if_present(place, 2**20)
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
        raise DataError(f"{place}: must name folders, got one that is none: {why}; move it away") from error
    for other in folders:
        if not there[other]:
            raise DataError(
                f"{place}: a change of several files was cut off, and the folder {_printable_path(other)} "
                "is not there; put it back, or remove the journal and train again"
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
            and (
                temporary is None
                or (isinstance(temporary, str) and atomic.TEMPORARY_NAME.fullmatch(temporary))
            )
            for name, temporary in changes.items()
        )
        for changes in folders
    )


def _is_plain_name(name: str) -> bool:
    """Whether that can be a file of the folder itself."""
    return Path(name).name == name and name not in ("", "..") and "\0" not in name and name.isprintable()


def _printable_path(path: Path) -> str:
    text = str(path)
    return text if text.isprintable() and len(text) <= 300 else ascii(text[:300])
