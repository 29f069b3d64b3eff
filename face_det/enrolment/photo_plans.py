"""Plans changes to people's photos: what moves, what the gallery is then, and what is noted of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from face_det.enrolment.photo_journal import UNDO, PhotoChange, PhotoMove, open_photo_journal
from face_det.enrolment.results import Paths
from face_det.errors import BadRequest, UnknownPerson
from face_det.gallery import Gallery, PersonPhoto, find_photo, list_photos, photo_name

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
        self._dataset = paths.dataset
        self._journal = open_photo_journal(paths)
        self._describe = describe

    def delete(self, name: str, photo: str, gallery: Gallery) -> PhotoPlan:
        """Plan to remove a photo of a person. Raises UnknownPerson or UnknownPhoto."""
        photos = require_photos(self._dataset, name, gallery)
        path = find_photo(photos, name, photo)
        indices = self._rows_of(path, photos, name, gallery)
        number = self._journal.next_number()
        move = PhotoMove((path.parent.name, path.name), ("", f"{number}/0{path.suffix}"))
        left = _without(gallery, indices)
        change = PhotoChange(
            number,
            self._journal.now(),
            "delete",
            f"The photo {photo_name(path)} of {name} was removed.",
            (name,),
            moves=(move,),
            ended=(name,) if len(photos) == 1 and name not in left.names else (),
        )
        return PhotoPlan(change, left, gallery.rows(indices))

    def undo(self, number: int, gallery: Gallery) -> PhotoPlan:
        """Plan to undo a change. Raises UnknownSighting, or BadRequest if it no longer fits."""
        change = self._journal.find(number)
        if change.undone:
            raise BadRequest(f"change: {change.id} was undone already")
        if change.verb == UNDO:
            raise BadRequest(f"change: {change.id} undid another one; make that change again instead")
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
        rows = self._journal.rows(number)
        back = gallery.joined(rows) if rows.names else gallery
        if back is None:
            log.warning("%s: another network made the encodings since; train to learn the photos", change.id)
            back = gallery
        return PhotoPlan(undone, back, Gallery.empty(), files)

    def _require_fitting(self, change: PhotoChange, gallery: Gallery) -> None:
        """Raise BadRequest if what a change moved cannot go back."""
        for move in change.moves:
            there, back = (self._journal.path_of(place) for place in (move.target, move.source))
            if not there.exists():
                raise BadRequest(f"change: {change.id} cannot be undone: {photo_name(there)} is gone by now")
            if back.exists():
                taken = f"{move.source[0]} has another photo {photo_name(back)} by now"
                raise BadRequest(f"change: {change.id} cannot be undone: {taken}; move that one first")
        known = {*list_photos(self._dataset), *gallery.names}
        later = [one for one in self._journal.changes() if one.number >= change.number]
        active = [one for one in later if not one.undone and one.verb != UNDO]
        for name in change.sources:
            for other in active:
                if other.number != change.number and other.verb in _WHOLE and name in other.sources:
                    raise BadRequest(f"change: undo {other.id} first: {other.what}")
            if name not in known and not any(name in one.ended for one in active):
                raise BadRequest(f"change: {change.id} cannot be undone: nobody is called {name!r} any more")

    def _rows_of(self, path: Path, photos: Sequence[Path], name: str, gallery: Gallery) -> list[int]:
        """Return the gallery's rows that go with a photo: none while a copy of it stays."""
        described = {one.path: one for one in self._describe(photos, name, gallery)}
        row = described[path].row
        if row is None or any(one.copy_of == path for one in described.values()):
            return []
        return [[index for index, owner in enumerate(gallery.names) if owner == name][row]]


_WHOLE = ("rename", "merge", "remove")
"""The verbs that move all of a person's photos."""


def require_photos(dataset: Path, name: str, gallery: Gallery) -> list[Path]:
    """Return a person's photos, perhaps none; raises UnknownPerson if nobody has that name."""
    photos = list_photos(dataset).get(name, [])
    if not photos and name not in gallery.names:
        raise UnknownPerson(f"nobody is called {name!r}; people() lists who is enrolled")
    return photos


def _without(gallery: Gallery, indices: Sequence[int]) -> Gallery:
    """Return the gallery without some rows; itself if there are none."""
    if not indices:
        return gallery
    leaving = {*indices}
    return gallery.rows(index for index in range(len(gallery.names)) if index not in leaving)
