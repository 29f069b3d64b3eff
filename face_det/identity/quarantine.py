"""Photos put aside, and back: nothing is deleted, nothing overwritten, and a kill in between loses nothing.

They go to dataset/.quarantine/ID/NAME/, a hidden folder, which enrolment passes over. Before each move a
line in .quarantine/journal.jsonl says what is about to move where, and why; a line whose move did not
happen means nothing. Where a photo lies says whence it came, so that also one without a line is put back.

One of us at a time works there: whoever changes something holds the dataset's folder, which nobody deletes.
"""

from __future__ import annotations

import secrets
import shutil
import time
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from face_det.errors import CannotWrite, DataError
from face_det.identity import atomic, quarantine_journal, quarantine_moves
from face_det.identity.quarantine_journal import FOLDER, JOURNAL, Aside
from face_det.identity.quarantine_moves import OUTCOME, Taken, is_there


@dataclass(frozen=True, slots=True)
class Failed:
    """A photo that could not be moved, by its place in the dataset, and why."""

    source: PurePosixPath
    error: CannotWrite


@dataclass(frozen=True, slots=True)
class PutAside:
    """What put_aside did: photos that are in quarantine now, and those that could not be moved."""

    moved: tuple[Aside, ...]
    failed: tuple[Failed, ...]


@dataclass(frozen=True, slots=True)
class PutBack:
    """What undo did: photos that are back; those whose place is taken, those that are gone, and those
    that could not be moved."""

    back: tuple[PurePosixPath, ...]
    taken: tuple[PurePosixPath, ...]
    gone: tuple[PurePosixPath, ...]
    failed: tuple[Failed, ...] = ()


def put_aside(dataset: Path, photos: Iterable[tuple[Path, str]]) -> PutAside:
    """Move photos of the dataset, each with why, into quarantine.

    A photo that is gone by now is passed over, and one that cannot be moved does not keep the others.
    Raises DataError for a path that is not dataset/NAME/FILE, CannotWrite for a dataset that is not there.
    """
    wanted = [(_relative(dataset, path), why) for path, why in photos]
    if not wanted:
        return PutAside((), ())
    batch = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
    moved: list[Aside] = []
    failed: list[Failed] = []
    with atomic.held([dataset]):
        for source, why in wanted:
            if not is_there(dataset / source):
                continue
            aside = Aside(batch, source, quarantine_journal.place(batch, source), why)
            try:
                with atomic.reporting(dataset / source, OUTCOME):
                    atomic.make_folder((dataset / aside.place).parent)
                quarantine_journal.note(dataset / FOLDER, aside)
                quarantine_moves.put_aside(dataset / source, dataset / aside.place)
            except CannotWrite as error:
                # Or somebody deleted it meanwhile, or it has moved and only that is not yet on disk.
                if is_there(dataset / source):
                    failed.append(Failed(source, error))
            if is_there(dataset / aside.place):
                moved.append(aside)
        _tidy(dataset)
    return PutAside(tuple(moved), tuple(failed))


def lying(dataset: Path) -> list[Aside]:
    """The photos in quarantine, in the order in which they came.

    Raises DataError for a spoilt journal, and for a quarantine that cannot be read.
    """
    return [aside for aside in quarantine_journal.entries(dataset) if is_there(dataset / aside.place)]


def undo(dataset: Path, *, everything: bool = False) -> PutBack:
    """Put the photos of the last move back to where they were, or those of all moves.

    A photo whose place is taken by another stays where it is, and so does one that cannot be moved.
    Called again after a kill, it goes on. Raises DataError as `lying` does.
    """
    if not (dataset / FOLDER).is_dir():
        return PutBack((), (), ())
    back, taken, gone = [], [], []
    failed = []
    with atomic.held([dataset]):
        for aside in _chosen(dataset, everything=everything):
            source, place = dataset / aside.source, dataset / aside.place
            if is_there(place):
                try:
                    quarantine_moves.put_back(place, source)
                except Taken:
                    taken.append(aside.source)
                    continue
                except CannotWrite as error:
                    if is_there(place):
                        failed.append(Failed(aside.source, error))
                        continue
                if is_there(source):
                    back.append(aside.source)
            if not is_there(source):
                gone.append(aside.source)
        _tidy(dataset)
    return PutBack(tuple(back), tuple(taken), tuple(gone), tuple(failed))


def holds(dataset: Path, name: str) -> bool:
    """Whether quarantine names a person: by a photo, by a line whose photo is gone, or by an empty folder.

    Raises DataError as `lying` does.
    """
    entries = quarantine_journal.entries(dataset)
    return bool(_of(name, entries)) or bool(_folders_of(dataset, name))


def forget(dataset: Path, name: str) -> int:
    """Delete for good what lies in quarantine of a person's folder; how many photos that were.

    Raises DataError as `lying` does, CannotWrite if something has to stay; the next call goes on with it.
    """
    if not (dataset / FOLDER).is_dir():
        return 0
    with atomic.held([dataset]):
        entries = quarantine_journal.entries(dataset)
        theirs = set(_of(name, entries))
        count = sum(is_there(dataset / aside.place) for aside in theirs)
        journal = dataset / FOLDER / JOURNAL
        if theirs and is_there(journal):
            # Their name goes as well. First, since photos are found without it, should we be killed now.
            rest = [quarantine_journal.line(aside) for aside in entries if aside not in theirs]
            atomic.put(journal, "".join(rest).encode())
        for folder in _folders_of(dataset, name):
            shutil.rmtree(folder, ignore_errors=True)  # it does not follow links
        _tidy(dataset)
        if left := _folders_of(dataset, name):
            raise CannotWrite(f"{left[0]}: its files cannot be deleted; remove it by hand")
    return count


def _relative(dataset: Path, path: Path) -> PurePosixPath:
    if path.is_relative_to(dataset):
        source = PurePosixPath(path.relative_to(dataset).as_posix())
        if quarantine_journal.is_photo(source):
            return source
    raise DataError(f"{path}: must be a photo in {dataset}/NAME/, is not")


def _chosen(dataset: Path, *, everything: bool) -> list[Aside]:
    """What undo is about: all that is known of the last move of which something lies there, or of all."""
    entries = quarantine_journal.entries(dataset)
    batches = [aside.batch for aside in entries if is_there(dataset / aside.place)]
    wanted = set(batches if everything else batches[-1:])
    return [aside for aside in entries if aside.batch in wanted]


def _of(name: str, entries: Sequence[Aside]) -> list[Aside]:
    return [aside for aside in entries if _is(name, aside.source.parts[0])]


def _folders_of(dataset: Path, name: str) -> list[Path]:
    return [folder for folder in quarantine_journal.folders(dataset) if _is(name, folder.name)]


def _is(name: str, folder: str) -> bool:
    return unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", folder)


def _tidy(dataset: Path) -> None:
    """Remove folders that are empty, which also a kill may leave, and with the last photo the journal.

    What cannot be removed stays: it is in nobody's way.
    """
    folder = dataset / FOLDER
    with suppress(OSError, DataError):
        for each in [*quarantine_journal.folders(dataset), *quarantine_journal.batches(dataset)]:
            with suppress(OSError):
                each.rmdir()
        for entry in list(folder.iterdir()):
            if atomic.TEMPORARY.fullmatch(entry.name):
                entry.unlink()
        if {entry.name for entry in folder.iterdir()} <= {JOURNAL}:
            (folder / JOURNAL).unlink(missing_ok=True)
            folder.rmdir()
