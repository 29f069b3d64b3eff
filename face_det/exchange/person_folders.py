"""Folders that are called what the person is called: the layout that most programs share."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from face_det.errors import DataError
from face_det.exchange.face_finder import FaceFinder
from face_det.exchange.names import NameRule
from face_det.exchange.source import FoundPhotos, LeftOut, NewFile, Picture, Source, SourcePhoto
from face_det.media import (
    encode_jpeg,
    is_picture_file,
    load_image,
    open_within,
    picture_suffix,
    read_image_bytes,
)

_JPEG = ".jpg"


class PersonFolders:
    """A folder a person, with pictures in it."""

    inside: ClassVar[tuple[str, ...]] = ()
    """Where the people's folders are below the program's own, for those who name that one."""
    not_people: ClassVar[frozenset[str]] = frozenset()
    """Folders that belong to no person."""
    loose: ClassVar[bool] = False
    """A picture beside the folders is a person's, too, and called what the person is called."""
    cut_out: ClassVar[bool] = False
    """The pictures end where the face does."""
    suffixes: ClassVar[frozenset[str]] = frozenset([".jpg", ".jpeg", ".png"])
    """The files that the program looks at, in lower case."""
    names: ClassVar[NameRule | None] = None
    """What the program accepts as a name; None if it accepts all of ours."""

    def find(self, source: Source) -> FoundPhotos:
        """Find the photos in the people's folders."""
        root = self._root(source.require_path())
        photos: list[SourcePhoto] = []
        left_out: list[LeftOut] = []
        for entry in read_folder(root):
            if entry.name in self.not_people or entry.name.startswith("."):
                continue
            name = printable(entry.name)
            if entry.is_symlink() and entry.is_dir():
                left_out.append(LeftOut(str(entry), "links to folders are not followed"))
            elif entry.is_dir():
                for path in read_folder(entry):
                    if path.is_dir():
                        reason = "is a folder within a person's; move its photos up"
                        left_out.append(LeftOut(printable(str(path)), reason, name))
                    elif not path.name.startswith(".") and is_picture_file(path):
                        photos.append(self._photo(name, path, source))
            elif is_picture_file(entry):
                if self.loose:
                    photos.append(self._photo(printable(entry.stem), entry, source))
                else:
                    left_out.append(LeftOut(printable(str(entry)), "is in nobody's folder"))
        if not photos and not left_out:
            raise DataError(f"{root}: must hold a folder of pictures for each person, got none")
        photos.sort(key=lambda photo: (photo.name, photo.place))
        return FoundPhotos(tuple(photos), tuple(left_out))

    def plan(self, people: Mapping[str, Sequence[Path]], faces: FaceFinder) -> list[NewFile]:
        """Plan a folder for each person; pictures that the program does not look at become JPEGs."""
        names = {name: name for name in people} if self.names is None else self.names.fit(people.keys())
        return [
            NewFile(f"{names[person]}/{file}", make)
            for person, photos in people.items()
            for file, make in self._files(photos, faces)
        ]

    def _files(
        self, photos: Sequence[Path], faces: FaceFinder
    ) -> Iterator[tuple[str, functools.partial[bytes]]]:
        taken: set[str] = set()
        for photo in photos:
            found = _true_suffix(photo)
            kept = not self.cut_out and found in self.suffixes
            same = photo.suffix.lower() in self.suffixes
            suffix = (photo.suffix.lower() if same else found) if kept else _JPEG
            file = free_name(printable(photo.stem), suffix, taken)
            taken.add(file)
            if self.cut_out:
                yield file, functools.partial(_cut, photo, faces)
            else:
                yield file, functools.partial(read_image_bytes if kept else _as_jpeg, photo)

    def _root(self, path: Path) -> Path:
        if not path.is_dir():
            raise DataError(f"{path}: must be a folder with a folder of pictures for each person, got a file")
        # Somebody who is called Train has a folder of pictures, not of folders.
        nearer = (path / below for below in self.inside if (path / below).is_dir())
        return next((one for one in nearer if any(entry.is_dir() for entry in read_folder(one))), path)

    def _photo(self, name: str, path: Path, source: Source) -> SourcePhoto:
        def read() -> Picture:
            return Picture(read_image_bytes(path, max_bytes=source.max_bytes))

        return SourcePhoto(name, printable(str(path)), read, self.cut_out)


def printable(text: str) -> str:
    r"""Return text that can be printed and sent: bytes of a file name that are not UTF-8 are escaped.

    >>> printable("\udcff.jpg")
    '\\udcff.jpg'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def free_name(stem: str, suffix: str, taken: set[str]) -> str:
    """Return the name of a file, with a number if it is taken.

    >>> free_name("1", ".jpg", {"1.jpg", "1-2.jpg"})
    '1-3.jpg'
    """
    name, number = f"{stem}{suffix}", 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}{suffix}"
    return name


def read_folder(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted; raises DataError if it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: must be a readable folder, got {error.strerror}") from error


def _true_suffix(photo: Path) -> str:
    """Return the suffix of the format that a photo has, whatever it is called; "" if it cannot be read."""
    try:
        with open_within(str(photo), ()) as file:
            return picture_suffix(file.read(64)) or ""
    except (OSError, DataError):
        return ""


def _as_jpeg(photo: Path) -> bytes:
    return encode_jpeg(load_image(photo))


def _cut(photo: Path, faces: FaceFinder) -> bytes:
    return encode_jpeg(faces.cut_out(photo))
