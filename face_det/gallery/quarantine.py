"""Moves photos into quarantine and back: nothing is deleted or overwritten, and a kill loses nothing.

They go to dataset/.quarantine/BATCH/NAME/, a hidden folder that enrolment skips. Before each move, a line
in .quarantine/journal.jsonl records what is about to move where, and why; a line whose move did not
happen is ignored. A photo's place also tells where it came from, so that it can be put back without a line.

Only one process at a time makes changes there. It holds a lock on the dataset's folder, because nobody
deletes that folder.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from face_det.errors import CannotWrite, DataError
from face_det.gallery import quarantine_journal
from face_det.gallery.quarantine_journal import JOURNAL_NAME, QUARANTINE_FOLDER, QuarantinedPhoto
from face_det.storage import (
    TEMPORARY_NAME,
    lock_folders,
    make_folder,
    replace_without_lock,
    report_write_errors,
    sync_folder,
)

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What os.link fails with if the file system has no hard links (FAT, some network shares)."""
NOT_MOVED = "it is where it was"
"""What the error message for a failed move says about the photo."""


class PlaceTaken(Exception):
    """Another file has taken the place of the one to be put back."""


@dataclass(frozen=True, slots=True)
class FailedMove:
    """A photo that could not be moved, as its path in the dataset, and the error."""

    source: PurePosixPath
    error: CannotWrite


@dataclass(frozen=True, slots=True)
class QuarantineResult:
    """The photos that are in quarantine now, and those that could not be moved."""

    moved: tuple[QuarantinedPhoto, ...]
    failed: tuple[FailedMove, ...]


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """The photos that are back; those whose place is taken by another file; those that are gone; and
    those that could not be moved."""

    back: tuple[PurePosixPath, ...]
    taken: tuple[PurePosixPath, ...]
    gone: tuple[PurePosixPath, ...]
    failed: tuple[FailedMove, ...] = ()


def quarantine_photos(dataset: Path, photos: Iterable[tuple[Path, str]]) -> QuarantineResult:
    """Move photos of the dataset into quarantine; each comes with the reason for it.

    A photo that no longer exists is skipped, and one that cannot be moved does not stop the others.
    Raises DataError for a path that is not dataset/NAME/FILE, and CannotWrite for a missing dataset.

    >>> quarantine_photos(Path("dataset"), [])
    QuarantineResult(moved=(), failed=())
    """
    chosen = [(_path_in_dataset(dataset, path), why) for path, why in photos]
    if not chosen:
        return QuarantineResult((), ())
    batch = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    moved: list[QuarantinedPhoto] = []
    failed: list[FailedMove] = []
    with lock_folders([dataset]):
        for source, why in chosen:
            if not entry_exists(dataset / source):
                continue
            entry = QuarantinedPhoto(batch, source, quarantine_journal.quarantine_path(batch, source), why)
            try:
                with report_write_errors(dataset / source, NOT_MOVED):
                    make_folder((dataset / entry.place).parent)
                quarantine_journal.append_entry(dataset / QUARANTINE_FOLDER, entry)
                move_in(dataset / source, dataset / entry.place)
            except CannotWrite as error:
                # Otherwise somebody deleted it meanwhile, or it was moved but not yet synced to disk.
                if entry_exists(dataset / source):
                    failed.append(FailedMove(source, error))
            if entry_exists(dataset / entry.place):
                moved.append(entry)
        _remove_empty_folders(dataset)
    return QuarantineResult(tuple(moved), tuple(failed))


def list_quarantined(dataset: Path) -> list[QuarantinedPhoto]:
    """Return the photos in quarantine, oldest first.

    Raises DataError for a damaged journal, or a quarantine that cannot be read.

    >>> list_quarantined(Path("no such folder"))
    []
    """
    return [
        entry for entry in quarantine_journal.list_entries(dataset) if entry_exists(dataset / entry.place)
    ]


def restore_photos(dataset: Path, *, everything: bool = False) -> RestoreResult:
    """Put the photos of the last batch back where they were, or those of all batches.

    A photo whose place is taken by another file stays in quarantine, as does one that cannot be moved.
    After a kill, another call continues. Raises DataError as `list_quarantined` does.

    >>> restore_photos(Path("no such folder")).back
    ()
    """
    if not (dataset / QUARANTINE_FOLDER).is_dir():
        return RestoreResult((), (), ())
    back, taken, gone = [], [], []
    failed = []
    with lock_folders([dataset]):
        for entry in _entries_to_restore(dataset, everything=everything):
            source, place = dataset / entry.source, dataset / entry.place
            if entry_exists(place):
                try:
                    move_back(place, source)
                except PlaceTaken:
                    taken.append(entry.source)
                    continue
                except CannotWrite as error:
                    if entry_exists(place):
                        failed.append(FailedMove(entry.source, error))
                        continue
                if entry_exists(source):
                    back.append(entry.source)
            if not entry_exists(source):
                gone.append(entry.source)
        _remove_empty_folders(dataset)
    return RestoreResult(tuple(back), tuple(taken), tuple(gone), tuple(failed))


def quarantine_mentions(dataset: Path, name: str) -> bool:
    """Return True if a photo's path, a line of the journal or an empty folder names the person.

    Raises DataError as `list_quarantined` does.

    >>> quarantine_mentions(Path("no such folder"), "anna")
    False
    """
    entries = quarantine_journal.list_entries(dataset)
    return bool(_entries_of(name, entries)) or bool(_folders_of(dataset, name))


def delete_quarantined(dataset: Path, name: str) -> int:
    """Delete a person's photos from the quarantine for good, and return how many there were.

    Raises DataError as `list_quarantined` does, and CannotWrite if something cannot be deleted; the next
    call tries again.

    >>> delete_quarantined(Path("no such folder"), "anna")
    0
    """
    if not (dataset / QUARANTINE_FOLDER).is_dir():
        return 0
    with lock_folders([dataset]):
        entries = quarantine_journal.list_entries(dataset)
        matching = set(_entries_of(name, entries))
        count = sum(entry_exists(dataset / entry.place) for entry in matching)
        journal = dataset / QUARANTINE_FOLDER / JOURNAL_NAME
        if matching and entry_exists(journal):
            # Their name goes too. It goes first: after a kill, photos are found without the journal.
            rest = [quarantine_journal.format_entry(entry) for entry in entries if entry not in matching]
            replace_without_lock(journal, "".join(rest).encode())
        for folder in _folders_of(dataset, name):
            shutil.rmtree(folder, ignore_errors=True)  # it does not follow links
        _remove_empty_folders(dataset)
        if left := _folders_of(dataset, name):
            raise CannotWrite(f"{left[0]}: its files cannot be deleted; remove it by hand")
    return count


def _path_in_dataset(dataset: Path, path: Path) -> PurePosixPath:
    if path.is_relative_to(dataset):
        source = PurePosixPath(path.relative_to(dataset).as_posix())
        if quarantine_journal.is_photo_path(source):
            return source
    raise DataError(f"{path}: must be a photo in {dataset}/NAME/")


def _entries_to_restore(dataset: Path, *, everything: bool) -> list[QuarantinedPhoto]:
    """Return the entries of the last batch that still has photos in quarantine, or of all such batches."""
    entries = quarantine_journal.list_entries(dataset)
    batches = [entry.batch for entry in entries if entry_exists(dataset / entry.place)]
    chosen = set(batches if everything else batches[-1:])
    return [entry for entry in entries if entry.batch in chosen]


def _entries_of(name: str, entries: Sequence[QuarantinedPhoto]) -> list[QuarantinedPhoto]:
    return [entry for entry in entries if _same_name(name, entry.source.parts[0])]


def _folders_of(dataset: Path, name: str) -> list[Path]:
    return [
        folder for folder in quarantine_journal.list_person_folders(dataset) if _same_name(name, folder.name)
    ]


def _same_name(name: str, folder: str) -> bool:
    return unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", folder)


def _remove_empty_folders(dataset: Path) -> None:
    """Remove empty folders, which a kill may also leave, and the journal once the last photo is gone.

    What cannot be removed stays, and does no harm.
    """
    folder = dataset / QUARANTINE_FOLDER
    with suppress(OSError, DataError):
        for each in [
            *quarantine_journal.list_person_folders(dataset),
            *quarantine_journal.list_batches(dataset),
        ]:
            with suppress(OSError):
                each.rmdir()
        for entry in list(folder.iterdir()):
            if TEMPORARY_NAME.fullmatch(entry.name):
                entry.unlink()
        if {entry.name for entry in folder.iterdir()} <= {JOURNAL_NAME}:
            (folder / JOURNAL_NAME).unlink(missing_ok=True)
            folder.rmdir()


def entry_exists(path: Path) -> bool:
    """Return True if there is a file or a link, even a broken one."""
    return os.path.lexists(path)


def move_in(source: Path, place: Path) -> None:
    """Move a photo into a folder that nobody else uses, so nothing is overwritten. Raises CannotWrite."""
    with report_write_errors(source, NOT_MOVED):
        _rename(source, place)


def move_back(source: Path, target: Path) -> None:
    """Move a photo back, creating its folder if it is gone; it may be repeated after a kill.

    Raises PlaceTaken if another file is there, and CannotWrite for any other obstacle.
    """
    if target.parent.is_symlink():
        advice = "links are not followed; replace it with a folder"
        raise CannotWrite(f"{source}: cannot be put back: {target.parent} is a link, and {advice}")
    with report_write_errors(source, NOT_MOVED):
        make_folder(target.parent)
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            if not _same_file(source, target):
                _rename_over_placeholder(source, target)
                return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _rename_over_placeholder(source, target)
            return
        source.unlink()
        sync_folder(target.parent)
        sync_folder(source.parent)


def _rename_over_placeholder(source: Path, target: Path) -> None:
    """Reserve the name with an empty file, which a kill may leave behind, then rename over that file."""
    with suppress(FileExistsError):
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if target.is_symlink() or not target.is_file() or target.stat().st_size:
        raise PlaceTaken
    _rename(source, target)


def _rename(source: Path, target: Path) -> None:
    source.replace(target)
    sync_folder(target.parent)
    sync_folder(source.parent)


def _same_file(one: Path, other: Path) -> bool:
    """Return True if both are names of one file, as a kill between link and unlink leaves them."""
    left, right = one.lstat(), other.lstat()
    return (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino)
