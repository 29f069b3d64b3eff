"""Photos put aside, and back: nothing is deleted, nothing overwritten, and a kill in between loses nothing.

They go to dataset/.quarantine/ID/NAME/, a hidden folder, which enrolment passes over. Before each move a
line in .quarantine/journal.jsonl says what is about to move where, so what lies there can always be put
back; a line whose move did not happen means nothing.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from face_det.errors import DataError, FaceDetError
from face_det.identity import atomic, quarantine_journal
from face_det.identity.quarantine_journal import FOLDER, JOURNAL, Aside

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What os.link answers where the file system has no hard links (FAT, some network shares)."""


class _Taken(Exception):
    """Another file stands where one is to be put."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """What undo did: photos that are back; those whose place is taken, and those that are gone."""

    back: tuple[PurePosixPath, ...]
    taken: tuple[PurePosixPath, ...]
    gone: tuple[PurePosixPath, ...]


def put_aside(dataset: Path, photos: Iterable[tuple[Path, str]]) -> list[Aside]:
    """Move photos of the dataset, each with why, into quarantine.

    A photo that is gone by now is passed over. Raises DataError for a path that is not dataset/NAME/FILE,
    FaceDetError if something cannot be written; what moved until then can be put back.
    """
    wanted = [(_relative(dataset, path), why) for path, why in photos]
    if not wanted:
        return []
    batch = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    moved = []
    with _held(dataset) as folder:
        for source, why in wanted:
            aside = Aside(batch, source, PurePosixPath(FOLDER, batch, *source.parts), why)
            if not _is_there(dataset / source):
                continue
            with atomic.reporting(dataset / aside.place.parent):
                (dataset / aside.place.parent).mkdir(parents=True, exist_ok=True)
            quarantine_journal.note(folder, aside)
            # Nobody else has this folder: there is nothing to be overwritten.
            _rename(dataset / source, dataset / aside.place)
            moved.append(aside)
    return moved


def lying(dataset: Path) -> list[Aside]:
    """The photos in quarantine, in the order in which they came. Raises DataError for a spoilt journal."""
    return [
        aside
        for aside in quarantine_journal.read(dataset / FOLDER / JOURNAL)
        if _is_there(dataset / aside.place)
    ]


def undo(dataset: Path, *, everything: bool = False) -> PutBack:
    """Put the photos of the last move back to where they were, or those of all moves.

    A photo whose place is taken by another stays where it is. Called again after a kill, it goes on.
    """
    if not (dataset / FOLDER).is_dir():
        return PutBack((), (), ())
    back, taken, gone = [], [], []
    with _held(dataset) as folder:
        entries = quarantine_journal.read(folder / JOURNAL)
        there = [aside for aside in entries if _is_there(dataset / aside.place)]
        batches = {aside.batch for aside in there} if everything else {aside.batch for aside in there[-1:]}
        for aside in entries:
            if aside.batch not in batches:
                continue
            if not _is_there(dataset / aside.place):
                if not _is_there(dataset / aside.source):
                    gone.append(aside.source)
                continue
            with atomic.reporting(dataset / aside.source.parent):
                (dataset / aside.source.parent).mkdir(parents=True, exist_ok=True)
            try:
                _put_back(dataset / aside.place, dataset / aside.source)
            except _Taken:
                taken.append(aside.source)
            else:
                back.append(aside.source)
        _tidy(dataset, entries)
    return PutBack(tuple(back), tuple(taken), tuple(gone))


def holds(dataset: Path, name: str) -> bool:
    """Whether a photo of a person's folder lies in quarantine. Raises DataError for a spoilt journal."""
    wanted = unicodedata.normalize("NFC", name)
    return any(unicodedata.normalize("NFC", aside.source.parts[0]) == wanted for aside in lying(dataset))


def forget(dataset: Path, name: str) -> int:
    """Delete for good what lies in quarantine of a person's folder; how many photos that were."""
    if not (dataset / FOLDER).is_dir():
        return 0
    with _held(dataset) as folder:
        entries = quarantine_journal.read(folder / JOURNAL)
        wanted = unicodedata.normalize("NFC", name)
        theirs = [aside for aside in entries if unicodedata.normalize("NFC", aside.source.parts[0]) == wanted]
        count = sum(_is_there(dataset / aside.place) for aside in theirs)
        for aside in theirs:
            with atomic.reporting(dataset / aside.place):
                (dataset / aside.place).unlink(missing_ok=True)
        rest = [aside for aside in entries if aside not in theirs]
        # Their name goes as well.
        atomic.put(folder / JOURNAL, "".join(map(quarantine_journal.line, rest)).encode())
        _tidy(dataset, entries)
    return count


def _relative(dataset: Path, path: Path) -> PurePosixPath:
    if path.is_relative_to(dataset):
        source = PurePosixPath(path.relative_to(dataset).as_posix())
        if quarantine_journal.is_photo(source):
            return source
    raise DataError(f"{path}: must be a photo in {dataset}/NAME/, is not")


@contextmanager
def _held(dataset: Path) -> Iterator[Path]:
    """The folder of the quarantine, for one of us at a time."""
    folder = dataset / FOLDER
    while True:
        with atomic.reporting(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        with atomic.held([folder]):
            if not folder.exists():
                continue  # the one before us tidied it away
            yield folder
            return


def _put_back(source: Path, target: Path) -> None:
    """Rename, but _Taken where another file stands; done again after a kill, it ends well."""
    with atomic.reporting(source, "it is where it was"):
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            if not _same(source, target):
                _over_nothing(source, target)
                return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _over_nothing(source, target)
            return
        source.unlink()
        atomic.sync(target.parent)
        atomic.sync(source.parent)


def _over_nothing(source: Path, target: Path) -> None:
    """Reserve the name, then rename over what is ours: an empty file, which also a kill may leave."""
    with suppress(FileExistsError):
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    if target.is_symlink() or not target.is_file() or target.stat().st_size:
        raise _Taken
    _rename(source, target)


def _rename(source: Path, target: Path) -> None:
    with atomic.reporting(source, "it is where it was"):
        source.replace(target)
        atomic.sync(target.parent)
        atomic.sync(source.parent)


def _same(one: Path, other: Path) -> bool:
    """Whether both are names of one file, which is what a kill between link and unlink leaves."""
    left, right = one.lstat(), other.lstat()
    return (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino)


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _tidy(dataset: Path, entries: Iterable[Aside]) -> None:
    """Remove folders that are empty, and with the last photo the journal."""
    folders = {dataset / aside.place.parent for aside in entries}
    for folder in [*folders, *{folder.parent for folder in folders}]:
        with suppress(OSError):
            folder.rmdir()
    folder = dataset / FOLDER
    try:
        if [entry.name for entry in folder.iterdir()] == [JOURNAL]:
            (folder / JOURNAL).unlink()
            folder.rmdir()
    except OSError as error:
        raise FaceDetError(f"{folder}: cannot be tidied: {error.strerror}; the photos are back") from error
