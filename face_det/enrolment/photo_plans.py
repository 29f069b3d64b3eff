"""Plans changes to people's photos: what moves, what the gallery is then, and what is noted of it."""

from __future__ import annotations

import itertools
import logging
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from face_det.enrolment.photo_journal import (
    UNDO,
    PhotoChange,
    PhotoJournal,
    PhotoMove,
    file_kind,
    open_photo_journal,
)
from face_det.enrolment.results import Paths
from face_det.errors import BadRequest, UnknownPerson
from face_det.gallery import (
    Gallery,
    PersonPhoto,
    find_photo,
    is_recording,
    list_photos,
    list_recordings,
    person_folder,
    photo_name,
)
from face_det.storage import is_same_file

log = logging.getLogger(__name__)

Describe = Callable[[Sequence[Path], str, Gallery], list[PersonPhoto]]
"""Returns what is known of a person's photos."""


@dataclass(frozen=True, eq=False, slots=True)
class PhotoPlan:
    """A change, the gallery after it, the rows that it touches, as they were, and files to write with it."""

    change: PhotoChange
    gallery: Gallery
    rows: Gallery
    files: Mapping[Path, bytes | None] = field(default_factory=dict)


class PhotoPlans:
    """Plans changes to the photos of a dataset. It reads, and writes nothing."""

    def __init__(self, paths: Paths, describe: Describe) -> None:
        self._paths = paths
        self._dataset = paths.dataset
        self._describe = describe

    @property
    def _journal(self) -> PhotoJournal:
        # Opened when it is needed: whoever only recognizes may have no folder for it.
        return open_photo_journal(self._paths)

    def delete(self, name: str, photo: str, gallery: Gallery) -> PhotoPlan:
        """Plan to remove a photo or a recording of a person. Raises UnknownPerson or UnknownPhoto."""
        files = self._require_files(name, gallery)
        path = find_photo(files, name, photo)
        what = f"The {file_kind(path)} {photo_name(path)} of {name} was removed."
        return self._plan("delete", what, {name: [path]}, None, gallery, self._rows_of([path], name, gallery))

    def move(self, name: str, photo: str, to: str, gallery: Gallery) -> PhotoPlan:
        """Plan to make a photo another person's. Raises UnknownPerson, UnknownPhoto or BadRequest."""
        if to == name:
            raise BadRequest(f"to: must be another person than {name!r}")
        photos = require_photos(self._dataset, name, gallery)
        path = find_photo(photos, name, photo)
        what = f"The photo {photo_name(path)} was moved from {name} to {to}."
        return self._plan("move", what, {name: [path]}, to, gallery, self._rows_of([path], name, gallery))

    def rename(self, name: str, to: str, gallery: Gallery) -> PhotoPlan:
        """Plan to give a person another name. Raises UnknownPerson, or BadRequest if it is taken."""
        photos = self._require_files(name, gallery)
        if to in {*_list_files(self._dataset), *gallery.names}:
            raise BadRequest(f"to: {to!r} is enrolled already; merge_people merges two people")
        rows = _rows_named([name], gallery)
        return self._plan("rename", f"{name} was renamed to {to}.", {name: photos}, to, gallery, rows)

    def merge(self, names: Sequence[str], into: str, gallery: Gallery) -> PhotoPlan:
        """Plan to give one person the photos of others. Raises UnknownPerson or BadRequest."""
        others = [name for name in dict.fromkeys(names) if name != into]
        if not others:
            raise BadRequest(f"names: must name at least one person other than {into!r}")
        photos = {name: self._require_files(name, gallery) for name in others}
        what = f"{', '.join(others)} merged into {into}."
        return self._plan("merge", what, photos, into, gallery, _rows_named(others, gallery))

    def remove(self, name: str, gallery: Gallery) -> PhotoPlan:
        """Plan to remove all photos and recordings of a person. Raises UnknownPerson."""
        files = self._require_files(name, gallery)
        recordings = sum(map(is_recording, files))
        counted = _count_of(len(files) - recordings, "photo")
        counted += f" and {_count_of(recordings, 'recording')}" if recordings else ""
        what = f"{name} was removed, with {counted}."
        return self._plan("remove", what, {name: files}, None, gallery, _rows_named([name], gallery))

    def _plan(
        self,
        verb: str,
        what: str,
        photos: Mapping[str, Sequence[Path]],
        to: str | None,
        gallery: Gallery,
        indices: Sequence[int],
    ) -> PhotoPlan:
        """Plan to move photos, by their people, to another person or into the journal, with these rows."""
        number = self._journal.next_number()
        paths = [path for some in photos.values() for path in some]
        moves, twice = self._plan_moves(paths, to, number)
        dropped = {index for name in photos for index in self._rows_of(twice, name, gallery)} & {*indices}
        kept = [index for index in indices if index not in dropped]
        after = gallery if to is None or not kept else gallery.renamed(kept, to)
        after = _without(after, indices if to is None else sorted(dropped))
        left = _list_files(self._dataset)
        ended = [
            name
            for name, some in photos.items()
            if {*left.get(name, ())} <= {*some} and name not in after.names
        ]
        change = PhotoChange(
            number, self._journal.now(), verb, what, tuple(photos), to, tuple(moves), ended=tuple(ended)
        )
        return PhotoPlan(change, after, gallery.rows(indices))

    def _plan_moves(
        self, paths: Sequence[Path], to: str | None, number: int
    ) -> tuple[list[PhotoMove], list[Path]]:
        """Return where photos go, and which go into the journal because their new owner has them already."""
        moves, twice = [], []
        folder = None if to is None else person_folder(self._dataset, to)
        there = {} if to is None else {path.name: path for path in _list_files(self._dataset).get(to, [])}
        taken = {path.name for path in folder.iterdir()} if folder is not None and folder.is_dir() else set()
        for place, path in enumerate(paths):
            again = folder is not None and any(is_same_file(path, other) for other in there.values())
            target = ("", f"{number}/{place}{path.suffix}")
            if again:
                twice.append(path)
            elif folder is not None:
                name = _free_name(path, taken)
                taken.add(name)
                there[name] = path
                target = (folder.name, name)
            moves.append(PhotoMove((path.parent.name, path.name), target))
        return moves, twice

    def undo(self, number: int, gallery: Gallery) -> PhotoPlan:
        """Plan to undo a change. Raises UnknownSighting, or BadRequest if it no longer fits."""
        change = self._journal.find(number)
        if change.undone:
            raise BadRequest(f"change: {change.id} was undone already")
        if change.verb == UNDO:
            raise BadRequest(f"change: {change.id} undid another one; make that change again instead")
        if change.photos:
            return self._undo_adding(change, gallery)
        self._require_fitting(change, gallery)
        own = self._journal.next_number()
        undone = PhotoChange(
            own,
            self._journal.now(),
            UNDO,
            f"Undone: {change.what}",
            change.people,
            moves=tuple(PhotoMove(move.target, move.source) for move in reversed(change.moves)),
            undoes=number,
        )
        files = self._journal.replaced(replace(change, undone=True))
        return PhotoPlan(undone, self._put_back_rows(change, gallery), Gallery.empty(), files)

    def _undo_adding(self, change: PhotoChange, gallery: Gallery) -> PhotoPlan:
        """Plan to remove a photo that was added."""
        (name,), (photo,) = change.sources, change.photos
        plan = self.delete(name, photo, gallery)
        undone = replace(plan.change, verb=UNDO, what=f"Undone: {change.what}", undoes=change.number)
        return replace(plan, change=undone, files=self._journal.replaced(replace(change, undone=True)))

    def _put_back_rows(self, change: PhotoChange, gallery: Gallery) -> Gallery:
        """Return the gallery as it is once a change's photos are back; itself if that is no difference."""
        leaving: dict[int, str] = {}
        staying: set[int] = set()
        if change.target is not None:
            moved = {self._journal.path_of(move.target): move.source[0] for move in change.moves}
            photos = list_photos(self._dataset).get(change.target, [])
            owned = _rows_named([change.target], gallery)
            for one in self._describe(photos, change.target, gallery):
                if one.row is not None and one.path in moved:
                    leaving[owned[one.row]] = unicodedata.normalize("NFC", moved[one.path])
                elif one.row is not None:
                    staying.add(owned[one.row])
        rows = self._journal.rows(change.number)
        for index in _rows_named([change.target or ""], gallery):
            # Rows of which there is no photo, such as those in the original program's file.
            if index in leaving or index in staying:
                continue
            for row in _equal_rows(gallery, index, rows):
                leaving[index] = rows.names[row]
        back = gallery
        for name in sorted({*leaving.values()}):
            back = back.renamed([index for index, owner in leaving.items() if owner == name], name)
        known = {
            row for index in range(len(back.names)) for row in _equal_rows(back, index, rows, named=True)
        }
        missing = rows.rows(row for row in range(len(rows.names)) if row not in known)
        joined = back.joined(missing) if missing.names else back
        if joined is None:
            log.warning("%s: another network made the encodings since; train to learn the photos", change.id)
        return back if joined is None else joined

    def _require_fitting(self, change: PhotoChange, gallery: Gallery) -> None:
        """Raise BadRequest if what a change moved cannot go back."""
        for move in change.moves:
            there, back = (self._journal.path_of(place) for place in (move.target, move.source))
            if not there.exists():
                raise BadRequest(
                    f"change: {change.id} cannot be undone: {photo_name(there)} no longer exists"
                )
            if back.exists():
                taken = f"{move.source[0]} now has another photo {photo_name(back)}"
                raise BadRequest(f"change: {change.id} cannot be undone: {taken}; move that one first")
        known = {*_list_files(self._dataset), *gallery.names}
        later = [one for one in self._journal.changes() if one.number >= change.number]
        active = [one for one in later if not one.undone and one.verb != UNDO]
        for name in change.sources:
            for other in active:
                if other.number != change.number and other.verb in _WHOLE and name in other.sources:
                    raise BadRequest(f"change: undo {other.id} first: {other.what}")
            if name in known and name in change.ended and change.verb in _WHOLE:
                taken = f"somebody else is now called {name!r}"
                raise BadRequest(f"change: {change.id} cannot be undone: {taken}; rename them first")
            if name not in known and not any(name in one.ended for one in active):
                raise BadRequest(f"change: {change.id} cannot be undone: nobody is called {name!r} any more")

    def _require_files(self, name: str, gallery: Gallery) -> list[Path]:
        """Return a person's photos and then recordings; raises UnknownPerson."""
        photos = require_photos(self._dataset, name, gallery)
        return [*photos, *list_recordings(self._dataset, warn=False).get(name, [])]

    def _rows_of(self, paths: Sequence[Path], name: str, gallery: Gallery) -> list[int]:
        """Return the gallery's rows that go with a person's photos: none of one of which a copy stays."""
        if all(map(is_recording, paths)):
            return []
        photos = list_photos(self._dataset).get(name, [])
        described = {one.path: one for one in self._describe(photos, name, gallery)}
        staying = {one.copy_of for one in described.values() if one.path not in paths}
        owned = _rows_named([name], gallery)
        return [
            owned[row]
            for path in paths
            if path in described and (row := described[path].row) is not None and path not in staying
        ]


EQUAL_WITHIN = 1e-3
"""Numbers of two encodings of one photo by one network differ by less."""
_WHOLE = ("rename", "merge", "remove")
"""The verbs that move all of a person's photos."""


def require_photos(dataset: Path, name: str, gallery: Gallery) -> list[Path]:
    """Return a person's photos, perhaps none; raises UnknownPerson if nobody has that name."""
    photos = list_photos(dataset).get(name, [])
    if not photos and name not in gallery.names and name not in list_recordings(dataset, warn=False):
        raise UnknownPerson(f"nobody is called {name!r}; people() lists who is enrolled")
    return photos


def _list_files(dataset: Path) -> dict[str, list[Path]]:
    """Return the photos and recordings of each person."""
    files = list_photos(dataset)
    for name, recordings in list_recordings(dataset, warn=False).items():
        files[name] = [*files.get(name, ()), *recordings]
    return files


def _count_of(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _rows_named(names: Collection[str], gallery: Gallery) -> list[int]:
    return [index for index, owner in enumerate(gallery.names) if owner in names]


def _equal_rows(gallery: Gallery, index: int, rows: Gallery, *, named: bool = False) -> list[int]:
    """Return which of `rows` equal a row of the gallery and, with `named`, have its name."""
    apart = np.abs(rows.encodings - gallery.encodings[index]).max(axis=1, initial=0)
    same = np.flatnonzero(apart < EQUAL_WITHIN).tolist() if len(rows.names) else []
    return [row for row in same if not named or rows.names[row] == gallery.names[index]]


def _free_name(path: Path, taken: Collection[str]) -> str:
    """Return the photo's name, with a number if it is taken.

    >>> _free_name(Path("1.jpg"), {"1.jpg", "1-2.jpg"})
    '1-3.jpg'
    """
    names = (f"{path.stem}-{number}{path.suffix}" for number in itertools.count(2))
    return path.name if path.name not in taken else next(name for name in names if name not in taken)


def _without(gallery: Gallery, indices: Sequence[int]) -> Gallery:
    """Return the gallery without some rows; itself if there are none."""
    if not indices:
        return gallery
    leaving = {*indices}
    return gallery.rows(index for index in range(len(gallery.names)) if index not in leaving)
