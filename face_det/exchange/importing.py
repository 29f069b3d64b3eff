"""Imports photos: checks and enrols them one by one, and says of each what became of it.

Each photo is enrolled completely or not at all. An import that was cut off is repeated: what is there is
passed over, so that the end is the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from face_det.errors import DataError, NoFace
from face_det.exchange.face_finder import add_margin
from face_det.exchange.names import fit_names
from face_det.exchange.source import FoundPhotos, LeftOut, Picture, SourcePhoto
from face_det.gallery import photo_file_name
from face_det.media import encode_jpeg, load_image


class Enrolment(Protocol):
    """Where photos are enrolled."""

    def enrolled(self, name: str) -> Collection[str]:
        """Return the names of the files of a person's enrolled photos."""

    def add(self, name: str, picture: Picture, place: str) -> bool:
        """Check a picture and enrol it; return False if it was there. Raises DataError if it is unfit."""


class ImportOutcome(str, Enum):
    """What became of a photo."""

    ADDED = "added"
    """It was enrolled; in a rehearsal, it would be."""
    PRESENT = "present"
    """It was enrolled before."""
    REFUSED = "refused"
    """It cannot be enrolled, and a reason says why."""


@dataclass(frozen=True, slots=True)
class ImportedPhoto:
    """What became of a photo: where it was, whose it is here, and why it was refused."""

    place: str
    name: str | None
    outcome: ImportOutcome
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NamedPhotos:
    """Photos to import, each with the person's name here; what names became, and what is left out."""

    photos: tuple[tuple[str, SourcePhoto], ...]
    renamed: dict[str, str]
    left_out: tuple[LeftOut, ...]


def name_photos(found: FoundPhotos) -> NamedPhotos:
    """Give everybody a name that is allowed here, in the order of these names.

    >>> name_photos(FoundPhotos((SourcePhoto("A/B", "1.jpg", lambda: Picture(b"")),))).renamed
    {'A/B': 'A-B'}
    """
    names, refused = fit_names(photo.name for photo in found.photos)
    photos = [(names[photo.name], photo) for photo in found.photos if photo.name in names]
    left_out = [
        LeftOut(photo.place, refused[photo.name], photo.name)
        for photo in found.photos
        if photo.name in refused
    ]
    photos.sort(key=lambda one: one[0])
    renamed = {name: target for name, target in names.items() if name != target}
    return NamedPhotos(tuple(photos), renamed, (*found.left_out, *left_out))


def import_photos(named: NamedPhotos, enrolment: Enrolment) -> Iterator[ImportedPhoto]:
    """Enrol the photos, and yield what became of each as soon as that is known.

    Raises TryAgain, such as CannotWrite for a full disk: then a later call goes on.
    """
    known: dict[str, Collection[str]] = {}
    for name, photo in named.photos:
        if name not in known:
            known[name] = enrolment.enrolled(name)
        try:
            added = _add(name, photo, known[name], enrolment)
        except DataError as error:
            yield ImportedPhoto(photo.place, name, ImportOutcome.REFUSED, _without_place(photo.place, error))
        else:
            yield ImportedPhoto(photo.place, name, ImportOutcome.ADDED if added else ImportOutcome.PRESENT)


def _add(name: str, photo: SourcePhoto, enrolled: Collection[str], enrolment: Enrolment) -> bool:
    """Enrol a photo; return False if it is enrolled already."""
    picture = photo.read()
    if picture.box is None and photo_file_name(picture.data) in enrolled:
        return False
    try:
        return enrolment.add(name, picture, photo.place)
    except NoFace:
        if not photo.cut_out:
            raise
    # Some detectors want to see more than a face.
    wider = encode_jpeg(add_margin(load_image(picture.data, place=photo.place)))
    return photo_file_name(wider) not in enrolled and enrolment.add(name, Picture(wider), photo.place)


def _without_place(place: str, error: DataError) -> str:
    return str(error).removeprefix(f"{place}: ").removeprefix("image: ").removeprefix("bytes: ")
