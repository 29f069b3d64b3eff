"""The journal of changes to people's photos and recordings, in statePath/photos: what it takes to undo them.

What is said of photos here is true of recordings, too; encodings of these are made again.

Change 12 is a file `12.json` with what moved from where to where. Photos that it removed lie in the folder
`12`, and `12.pickle` holds the encodings of all its photos as they were. The file is written first, as begun;
then the photos move; then it is replaced by one that is done, in one transaction with encodings, model and
labels. Whatever is begun but not done after a kill is put back.

What is kept is bounded by age and size, and goes at once when somebody is forgotten.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from face_det.enrolment.results import Paths
from face_det.errors import CannotWrite, DataError, FaceDetError, UnknownSighting
from face_det.gallery import Gallery, is_photo_path, is_recording, photo_name
from face_det.storage import (
    is_same_file,
    make_folder,
    move_file,
    read_files,
    report_write_errors,
    write_atomically,
)

log = logging.getLogger(__name__)

KEEP_S = 30 * 24 * 3600.0
"""How long a change can be undone."""
KEEP_BYTES = 2 * 10**9
"""How much removed photos may take; the oldest go first, and those of the latest change stay."""
_MAX_ENTRY_BYTES = 2**30
_LAST = "last"
_ENTRY = re.compile(r"([1-9][0-9]{0,17})\.json")
_OWN = re.compile(r"[1-9][0-9]{0,17}(\.json|\.pickle)?")
_ID = re.compile(r"photos-([1-9][0-9]{0,17})")
_REMOVED = re.compile(r"[1-9][0-9]{0,17}/[0-9]+(\.[^/\0]*)?")
UNDO = "undo"

Place = tuple[str, str]
"""A folder of the dataset and a file in it or, for a photo that was removed, "" and a path in the journal."""


@dataclass(frozen=True, slots=True)
class PhotoMove:
    """A photo that moves from one place to another."""

    source: Place
    target: Place


@dataclass(frozen=True, slots=True)
class PhotoChange:
    """A change: its number, when (seconds since 1970), and by which verb; `what` says it in a sentence.

    `sources` and `target` are the people whose photos left, and whoever got them. `photos` names the photos
    that were added, which move nowhere. `ended` are those of whom nothing was left. `sightings` is what the
    memory needs to undo it, and `undoes` the number of the change that this one undid.
    """

    number: int
    time: float
    verb: str
    what: str
    sources: tuple[str, ...]
    target: str | None = None
    moves: tuple[PhotoMove, ...] = ()
    photos: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    undone: bool = False
    undoes: int | None = None
    sightings: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        """The id that callers know it by, such as photos-12."""
        return f"photos-{self.number}"

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody whom it names."""
        return self.sources if self.target is None else (*self.sources, self.target)


def open_photo_journal(paths: Paths) -> PhotoJournal:
    """Return the journal of changes to photos; raises FaceDetError if none is kept."""
    if paths.changes is None:
        raise FaceDetError("changes: must have a folder")
    return PhotoJournal(paths.changes, paths.dataset)


def photo_change_number(identifier: object) -> int | None:
    """Return the number of an id such as photos-12; None for anything else.

    >>> photo_change_number("photos-12"), photo_change_number("12")
    (12, None)
    """
    found = _ID.fullmatch(identifier) if isinstance(identifier, str) else None
    return None if found is None else int(found[1])


class PhotoJournal:
    """The journal in a folder. Whoever writes must hold the lock on the encodings."""

    def __init__(self, folder: Path, dataset: Path, now: Callable[[], float] = time.time) -> None:
        self.folder = folder
        self._dataset = dataset
        self.now = now

    def changes(self) -> list[PhotoChange]:
        """Return the changes that are done, newest first. Raises DataError for a damaged file."""
        return [change for change, done in self._entries() if done]

    def find(self, number: int) -> PhotoChange:
        """Return a change; raises UnknownSighting if it is not there any more."""
        for change in self.changes():
            if change.number == number:
                return change
        raise UnknownSighting(f"change: there is no change photos-{number}; it may be too old to be undone")

    def rows(self, number: int) -> Gallery:
        """Return the encodings of a change's photos, as they were before it."""
        return Gallery.load(self.folder / f"{number}.pickle")

    def next_number(self) -> int:
        """Return a number that no change ever had."""
        last = read_files([self.folder / _LAST], max_bytes=100)[self.folder / _LAST] or b"0"
        numbers = [change.number for change, _ in self._entries()]
        return max([int(last) if last.isdigit() else 0, *numbers]) + 1

    @contextmanager
    def recording(self, change: PhotoChange, rows: Gallery) -> Iterator[dict[Path, bytes | None]]:
        """Move a change's photos for the body of a `with` statement, and yield the files to write with it.

        If the body fails before they are written, everything is put back. Raises CannotWrite.
        """
        with report_write_errors(self.folder):
            make_folder(self.folder)
        entry = self.folder / f"{change.number}.json"
        write_atomically(self.folder / _LAST, b"%d" % change.number)
        if rows.names:
            write_atomically(self.folder / f"{change.number}.pickle", rows.dumps())
        write_atomically(entry, _dump(change, done=False))
        try:
            for move in change.moves:
                self._move(move.source, move.target)
            yield {entry: _dump(change, done=True)}
        except BaseException:
            if not self._is_done(change.number):
                self._put_back(change)
            raise
        with suppress(FaceDetError):
            self.prune()

    def note_added(self, name: str, photo: Path) -> tuple[str | None, dict[Path, bytes | None]]:
        """Return the id of the change that added a photo, and what to write with it.

        Enrolling goes on, without such a change, if the journal cannot be written.
        """
        try:
            number = self.next_number()
            with report_write_errors(self.folder):
                make_folder(self.folder)
            write_atomically(self.folder / _LAST, b"%d" % number)
        except FaceDetError as error:
            log.warning("%s; the photo that is added cannot be removed by undo", error)
            return None, {}
        what = f"The {file_kind(photo)} {photo_name(photo)} was added to {name}."
        change = PhotoChange(number, self.now(), "add", what, (name,), photos=(photo_name(photo),))
        return change.id, self.replaced(change)

    def recover(self) -> None:
        """Put back what a kill left half done."""
        for change, done in self._entries():
            if not done:
                log.warning("%s: was interrupted; rolling it back", change.what)
                self._put_back(change)

    def has_unfinished(self) -> bool:
        """Return True if a change is begun and not done: now, or when a process was killed."""
        return any(not done for _, done in self._entries())

    def replaced(self, change: PhotoChange) -> dict[Path, bytes | None]:
        """Return what to write when a change is noted anew, as when it was undone."""
        return {self.folder / f"{change.number}.json": _dump(change, done=True)}

    def prune(self) -> None:
        """Remove what is too old, and the oldest of what takes too much room."""
        size = 0
        for place, (change, done) in enumerate(self._entries()):
            removed = self.folder / str(change.number)
            size += sum(path.stat().st_size for path in removed.glob("*")) if removed.is_dir() else 0
            if done and place and (change.time < self.now() - KEEP_S or size > KEEP_BYTES):
                self._drop(change.number)

    def mentions(self, name: str) -> bool:
        """Return True if a change names this person."""
        return any(name in change.people for change, _ in self._entries())

    def forget(self, name: str) -> int:
        """Erase every change that names a person, also by a former name; return how many photos that were.

        Raises CannotWrite if something cannot be removed.
        """
        names, count = {name}, 0
        for change, _ in self._entries():
            if names.isdisjoint(change.people):
                continue
            if change.verb in ("rename", "merge") and change.target in names and not change.undone:
                names.update(change.sources)
            removed = self.folder / str(change.number)
            files = list(removed.iterdir()) if removed.is_dir() else []
            count += sum(not is_recording(path) for path in files)
            self._drop(change.number)
        return count

    def erase_all(self) -> None:
        """Erase every change, readable or not: its photos were replaced. Raises CannotWrite."""
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if _OWN.fullmatch(path.name):
                with report_write_errors(path, "remove it by hand"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _entries(self) -> list[tuple[PhotoChange, bool]]:
        """Return all changes, newest first, and whether each is done."""
        try:
            paths = [path for path in self.folder.iterdir() if _ENTRY.fullmatch(path.name)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise DataError(f"{self.folder}: must be a readable folder, got {error.strerror}") from error
        found = read_files(paths, max_bytes=_MAX_ENTRY_BYTES)
        entries = [_parse(path, data) for path, data in found.items() if data is not None]
        return sorted(entries, key=lambda entry: entry[0].number, reverse=True)

    def _is_done(self, number: int) -> bool:
        return any(change.number == number and done for change, done in self._entries())

    def path_of(self, place: Place) -> Path:
        """Return the path of a photo in the dataset or, if it was removed, in the journal."""
        folder, name = place
        return self._dataset / folder / name if folder else self.folder / name

    def _move(self, source: Place, target: Place) -> None:
        path = self.path_of(source)
        with report_write_errors(path, "nothing was changed"):
            try:
                move_file(path, self.path_of(target))
            except FileExistsError as error:
                raise CannotWrite(f"{self.path_of(target)}: is taken by another file; try again") from error
        with suppress(OSError):
            path.parent.rmdir()

    def _put_back(self, change: PhotoChange) -> None:
        for move in reversed(change.moves):
            source, target = self.path_of(move.source), self.path_of(move.target)
            if not target.exists() or (source.exists() and not is_same_file(source, target)):
                continue  # it never moved
            self._move(move.target, move.source)
        self._drop(change.number)

    def _drop(self, number: int) -> None:
        with report_write_errors(self.folder, "remove it by hand"):
            if (self.folder / str(number)).is_dir():
                shutil.rmtree(self.folder / str(number))
            (self.folder / f"{number}.pickle").unlink(missing_ok=True)
            # Last: until then, a repeated call still finds it.
            (self.folder / f"{number}.json").unlink(missing_ok=True)


def file_kind(path: Path) -> str:
    """Return what sentences call a person's file.

    >>> file_kind(Path("Anna/1.wav"))
    'recording'
    """
    return "recording" if is_recording(path) else "photo"


def _dump(change: PhotoChange, *, done: bool) -> bytes:
    return json.dumps({"done": done, **asdict(change)}).encode()


def _parse(path: Path, data: bytes) -> tuple[PhotoChange, bool]:
    try:
        fields = json.loads(data)
        done = fields.pop("done")
        moves = tuple(
            PhotoMove(_place(move["source"]), _place(move["target"])) for move in fields.pop("moves")
        )
        lists = {key: tuple(fields[key]) for key in ("sources", "photos", "ended")}
        change = replace(PhotoChange(**{**fields, **lists}), moves=moves)
        if change.number != int(path.stem):
            raise ValueError(f"it describes change {change.number}")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: must be a change of face-det, got {error}; move it away") from error
    return change, bool(done)


def _place(fields: Any) -> Place:
    """Return a place as it is noted; raise ValueError for one outside the dataset and the journal."""
    folder, name = map(str, fields)
    inside = _REMOVED.fullmatch(name) if not folder else is_photo_path(PurePosixPath(folder, name))
    if not inside:
        raise ValueError(f"a place {folder!r:.60}, {name!r:.60} that is no photo's")
    return folder, name


def note_added_photo(paths: Paths, name: str, photo: Path) -> tuple[str | None, dict[Path, bytes | None]]:
    """Return the id of a change that adds a photo, and the journal's files to write with it.

    The id is None, and there are no files, if changes to photos are not kept.
    """
    return (None, {}) if paths.changes is None else open_photo_journal(paths).note_added(name, photo)
