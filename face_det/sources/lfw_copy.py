"""Lists and reads the photos in a copy of Labeled Faces in the Wild (LFW).

A copy is a folder with NAME/NAME_0001.jpg (possibly one or two levels down, as archives unpack), a folder
of files NAME_0001.jpg, or a tar archive of either. Archives are never unpacked: only regular members are
read, into memory, and files written from them get names of our own.
"""

from __future__ import annotations

import os
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from face_det.errors import BadImage, DataError
from face_det.media import read_image_bytes

LFW_SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_LFW_PHOTO_BYTES = 20_000_000
"""A larger member of an archive is not a photo of LFW; those have about 10,000 bytes."""
EXPECTED_LFW_COPY = "a folder NAME/NAME_0001.jpg, a folder of NAME_0001.jpg, or lfw.tgz"

_MAX_DEPTH = 3
"""How many levels of folders are searched."""
_NUMBERED = re.compile(r"(.+)_\d+")
_UNSAFE_CHARACTERS = re.compile(r"[^\w .'-]")
_MAX_STEM_LENGTH = 120


@dataclass(frozen=True, slots=True)
class LfwPhoto:
    """A photo in a copy: whose it is, the name of the file made from it, and its path in the copy."""

    person: str
    stem: str
    suffix: str
    place: str


def list_lfw_photos(copy: Path) -> list[LfwPhoto]:
    """List the photos in a copy, sorted; a duplicate counts once. Raises DataError.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "Ada_Lovelace_0001.jpg").touch()
    ...     list_lfw_photos(Path(folder))
    [LfwPhoto(person='Ada_Lovelace', stem='Ada_Lovelace_0001', suffix='.jpg', place='Ada_Lovelace_0001.jpg')]
    """
    if not copy.exists():
        raise DataError(f"{copy}: must be {EXPECTED_LFW_COPY}, but does not exist")
    places = sorted(_list_folder(copy) if copy.is_dir() else _list_archive(copy))
    paths = [PurePosixPath(place) for place in places]
    by_folder = len({path.parent.name for path in paths}) > 1
    found: dict[str, LfwPhoto] = {}
    for place, path in zip(places, paths, strict=True):
        entry = _photo_at(path, place, by_folder)
        found.setdefault(entry.stem, entry)
    if not found:
        raise DataError(f"{copy}: must be {EXPECTED_LFW_COPY}, got no picture in it")
    return list(found.values())


def read_lfw_photos(copy: Path, chosen: Iterable[LfwPhoto]) -> Iterator[tuple[LfwPhoto, bytes | BadImage]]:
    """Yield each chosen photo with its bytes, or the reason it cannot be read, in the fastest order."""
    if copy.is_dir():
        for entry in chosen:
            try:
                yield entry, read_image_bytes(copy / entry.place)
            except BadImage as error:
                yield entry, error
        return
    wanted = {entry.place: entry for entry in chosen}
    with _open_archive(copy) as archive:
        for member in archive:
            if member.name in wanted and _is_photo_member(member):
                file = archive.extractfile(member)
                assert file is not None
                yield wanted.pop(member.name), file.read()
                if not wanted:
                    return


def _photo_at(path: PurePosixPath, place: str, by_folder: bool) -> LfwPhoto:
    numbered = _NUMBERED.fullmatch(path.stem)
    stem = path.stem
    if by_folder and path.parent.name:
        person = path.parent.name
        if not stem.startswith(person):
            stem = f"{person}_{stem}"
    else:
        person = numbered[1] if numbered else stem
    return LfwPhoto(
        person,
        _UNSAFE_CHARACTERS.sub("_", stem)[-_MAX_STEM_LENGTH:].lstrip(".") or "_",
        path.suffix.lower(),
        place,
    )


def _list_folder(folder: Path) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: must be a readable folder, got {error.strerror}")

    for parent, folders, files in os.walk(folder, onerror=refuse):
        inside = Path(parent).relative_to(folder)
        hidden = [name for name in folders if name.startswith(".")]
        folders[:] = sorted(set(folders) - set(hidden)) if len(inside.parts) < _MAX_DEPTH else []
        yield from (
            (inside / name).as_posix()
            for name in files
            if Path(name).suffix.lower() in LFW_SUFFIXES and not name.startswith(".")
        )


def _list_archive(path: Path) -> Iterator[str]:
    with _open_archive(path) as archive:
        yield from (member.name for member in archive if _is_photo_member(member))


def _is_photo_member(member: tarfile.TarInfo) -> bool:
    path = PurePosixPath(member.name)
    picture = path.suffix.lower() in LFW_SUFFIXES and not path.name.startswith(".")
    return picture and member.isreg() and member.size <= MAX_LFW_PHOTO_BYTES


@contextmanager
def _open_archive(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:*") as archive:
            yield archive
    except (tarfile.TarError, zlib.error, LZMAError, EOFError, OSError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{path}: must be {EXPECTED_LFW_COPY}, got a damaged archive or something else ({said})"
        ) from error
