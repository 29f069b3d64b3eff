"""Where pictures come from: a folder, a list of paths, or a video."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from face_det.errors import DataError
from face_det.media import find_pictures, load_image
from face_det.storage import read_if_present
from face_det.types import Rgb
from face_det.video import VideoReader, open_video

MAX_LIST_BYTES = 100_000_000
MAX_PIXELS = 100_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """A picture that persons and faces are to be cut out of.

    `source` names it: an absolute path, or `PATH#120.frame` for a frame of a video. `version` changes when
    the picture does. `visit` says what it was taken together with: its folder, or the video. `read` returns
    it and raises BadImage. `path` is its file, if it is in one of its own.
    """

    source: str
    version: str
    visit: str
    read: Callable[[], Rgb]
    path: Path | None = None


@dataclass(frozen=True, eq=False, slots=True)
class PictureSource:
    """Pictures, how many there are if that is known, and what was passed over.

    `others` are files that are no pictures; `unreadable` says which folders could not be read, and why.
    `problem` tells, once all pictures were taken, what was wrong with them as a whole; None if nothing.
    """

    pictures: Iterable[Picture]
    total: int | None = None
    others: tuple[Path, ...] = ()
    unreadable: tuple[tuple[Path, str], ...] = ()
    problem: Callable[[], str | None] = field(default=lambda: None)


def pictures_in_folder(folder: Path, output: Path, *, max_pixels: int = MAX_PIXELS) -> PictureSource:
    """Find the pictures in a folder and below, by content; those below `output` are our own.

    Hidden files are passed over, and links to folders are not followed. Raises DataError if there is no
    such folder.

    >>> pictures_in_folder(Path("no such folder"), Path("out"))
    Traceback (most recent call last):
    ...
    face_det.errors.DataError: no such folder: must be a folder of pictures, but there is none
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: must be a folder of pictures, but there is none")
    ours = Path(os.path.realpath(output))
    folder = Path(os.path.realpath(folder))
    found = find_pictures(folder)
    if folder == ours or folder.is_relative_to(ours):
        raise DataError(f"{folder}: pictures cannot be taken from the output folder or below it")
    paths = [path for path in found.pictures if not path.is_relative_to(ours)]
    others = tuple(path for path in found.others if not path.is_relative_to(ours))
    return PictureSource(
        [_from_file(path, max_pixels) for path in paths], len(paths), others, found.unreadable
    )


def pictures_in_list(file: Path, base: Path | None = None, *, max_pixels: int = MAX_PIXELS) -> PictureSource:
    """Take the pictures whose paths a file lists, one a line; a path that is there twice counts once.

    Relative paths start from `base`, or from the folder that the list is in. Raises DataError if the list
    cannot be read.
    """
    data = read_if_present(file, MAX_LIST_BYTES)
    if data is None:
        raise DataError(f"{file}: must be a list of pictures, one path a line, but there is no such file")
    if b"\0" in data:
        raise DataError(f"{file}: must be a list of pictures, one path a line, got a binary file")
    start = Path(os.path.realpath(base if base is not None else file.parent))
    lines = [os.fsdecode(line.rstrip(b"\r")) for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    paths = dict.fromkeys(start / line for line in lines if line.strip())
    return PictureSource([_from_file(path, max_pixels) for path in paths], len(paths))


def pictures_in_video(path: Path, every: int = 1, *, max_pixels: int = MAX_PIXELS) -> PictureSource:
    """Take every `every`-th frame of a video. Raises VideoError if not even one can be read."""
    path = Path(os.path.realpath(path))
    reader = open_video(path, every=every, max_pixels=max_pixels)
    frames = reader.info.frames
    total = None if frames is None else -(-frames // every)
    return PictureSource(_frames(path, reader), total, problem=lambda: reader.problem)


def _frames(path: Path, reader: VideoReader) -> Iterator[Picture]:
    version = _version_of(path)
    with reader:
        for frame in reader:
            rgb = frame.rgb
            # What looks like a suffix is left out of the names of crops, which shall have the number.
            yield Picture(f"{path}#{frame.index}.frame", version, str(path), partial(_return, rgb))


def _return(rgb: Rgb) -> Rgb:
    return rgb


def _from_file(path: Path, max_pixels: int) -> Picture:
    read = partial(load_image, path, max_pixels=max_pixels)
    return Picture(str(path), _version_of(path), str(path.parent), read, path)


def _version_of(path: Path) -> str:
    """Return what differs once a file was written again; "" if there is none, which reading it will tell."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ""
    return f"{found.st_size}-{found.st_mtime_ns}"


def picture_from_bytes(source: str, visit: str, data: bytes, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Make a picture of the bytes of a file, which is decoded only when it is read.

    >>> picture_from_bytes("event 7#1", "event 7", b"P6 1 1 255 " + bytes(3)).read().shape
    (1, 1, 3)
    """
    return Picture(
        source, str(len(data)), visit, partial(load_image, data, max_pixels=max_pixels, place=source)
    )
