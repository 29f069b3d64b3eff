"""Loads pictures from a path or bytes."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from face_det.errors import BadImage
from face_det.media.allowed_paths import (
    OutsideRoots,
    is_kernel_file_system,
    open_parent,
    printable_path,
    unreadable_error,
)
from face_det.media.cut_off import complete_picture, is_cut_off
from face_det.media.decode import EXPECTED_IMAGE, decode_image
from face_det.media.pixels import copy_rgb
from face_det.types import Rgb

GROWING_S = 0.5
"""How long a picture that is still being written is waited for."""
_STILL_S = 0.2
"""A file that does not change for so long is not being written any more."""
_POLL_S = 0.02


@dataclass(frozen=True, eq=False, slots=True)
class LoadedImage:
    """A picture, RGB uint8 of shape (H, W, 3), and whether part of it is missing and filled up evenly."""

    rgb: Rgb
    partial: bool


def load_image(
    source: str | os.PathLike[str] | bytes,
    *,
    max_pixels: int = 100_000_000,
    max_bytes: int = 100_000_000,
    roots: Sequence[Path] = (),
    place: str = "bytes",
) -> Rgb:
    """Load a picture, from a path or from the bytes of a file, upright as RGB uint8 of shape (H, W, 3).

    Only a regular file of at most `max_bytes` is read, and a picture of more than `max_pixels` is refused
    from its header alone. The pixels of 8-bit pictures equal Pillow's `Image.open(path).convert("RGB")`. With
    `roots`, the path must come from `resolve_image_path`, and is opened without following links.
    Raises BadImage with a one-line message that names the path, or `place`, where the bytes came from.

    >>> load_image(b"P6 1 1 255 " + bytes([255, 0, 0]))
    array([[[255,   0,   0]]], dtype=uint8)
    >>> load_image(b"hello", place="images[0]")
    Traceback (most recent call last):
    ...
    face_det.errors.BadImage: images[0]: must be a JPEG, PNG, BMP, GIF, WebP, TIFF, PPM, AVIF or HEIC picture, got text
    """  # noqa: E501
    if isinstance(source, bytes):
        place, data = printable_path(place), source
        check_bytes(len(data), place, max_bytes)
    elif isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        place, data = printable_path(path), read_image_bytes(path, max_bytes=max_bytes, roots=roots)
    else:
        raise BadImage(f"image: must be a path or bytes, got {type(source).__name__}")
    return decode_image(data, place, max_pixels=max_pixels)


def load_perhaps_partial(
    source: str | os.PathLike[str] | bytes,
    *,
    max_pixels: int = 100_000_000,
    max_bytes: int = 100_000_000,
    roots: Sequence[Path] = (),
    wait_s: float = GROWING_S,
) -> LoadedImage:
    """Load a picture as `load_image` does, even if somebody is still writing its file.

    A JPEG or PNG that is cut off, or an empty file, is read again for up to `wait_s` seconds while it
    changes. If it stays cut off, what is there is returned as `partial`. Never enrol such a
    picture. This blocks its thread while it waits. Raises BadImage.

    >>> load_perhaps_partial(b"P6 1 1 255 " + bytes([255, 0, 0])).partial
    False
    """
    data = b""
    until = time.monotonic() + wait_s
    while True:
        before = _written_at(source)
        try:
            if not isinstance(source, bytes):
                data = b""
                data = read_image_bytes(source, max_bytes=max_bytes, roots=roots, may_be_empty=True)
            else:
                data = source
            rgb = load_image(data, max_pixels=max_pixels, max_bytes=max_bytes, place=_place_of(source))
            return LoadedImage(rgb, partial=False)
        except BadImage:
            if not is_cut_off(data):
                raise
            if not _wait_for_change(source, before, until):
                completed = complete_picture(data, max_pixels)
                if completed is None:
                    raise
                rgb = decode_image(completed, _place_of(source), max_pixels=max_pixels)
                return LoadedImage(rgb, partial=True)


def _place_of(source: str | os.PathLike[str] | bytes) -> str:
    return "bytes" if isinstance(source, bytes) else os.fsdecode(source)


def _written_at(source: str | os.PathLike[str] | bytes) -> tuple[int, int] | None:
    """Return size and time of a file, which show whether it has changed; None if there is none."""
    if isinstance(source, bytes):
        return None
    try:
        found = os.stat(source)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns


def _wait_for_change(
    source: str | os.PathLike[str] | bytes, before: tuple[int, int] | None, until: float
) -> bool:
    """Wait until a file changes, for _STILL_S but not beyond `until` (monotonic); False if it does not."""
    if before is None:
        return False
    until = min(until, time.monotonic() + _STILL_S)
    while time.monotonic() < until:
        if _written_at(source) != before:
            return True
        time.sleep(_POLL_S)
    return False


def read_image_bytes(
    source: str | os.PathLike[str],
    *,
    max_bytes: int = 100_000_000,
    roots: Sequence[Path] = (),
    may_be_empty: bool = False,
) -> bytes:
    """Read the bytes of a regular file of at most `max_bytes`, whatever they hold.

    Never waits for a pipe's writer and never touches a device. With `roots`, the path must come from
    `resolve_image_path`: swapping a folder on the way for a link in the meantime gains nothing.
    An empty file is an error unless it `may_be_empty`. Raises BadImage.

    >>> read_image_bytes("no such file")
    Traceback (most recent call last):
    ...
    face_det.errors.BadImage: no such file: file not found
    """
    path = os.fspath(source)
    place = printable_path(path)
    try:
        with open_within(path, roots) as file:
            size = os.fstat(file.fileno()).st_size
            if size or not may_be_empty:
                check_bytes(size, place, max_bytes)
            return file.read(size)
    except (OSError, ValueError) as error:
        raise unreadable_error(path, error) from error


def open_within(source: str | os.PathLike[str], roots: Sequence[Path] = ()) -> IO[bytes]:
    """Open a regular file for reading, under the rules of `read_image_bytes`; raises BadImage.

    >>> open_within("/")
    Traceback (most recent call last):
    ...
    face_det.errors.BadImage: /: must be a JPEG, PNG, BMP, GIF, WebP, TIFF, PPM, AVIF or HEIC picture, got a folder
    """  # noqa: E501
    path = os.fspath(source)
    place = printable_path(path)
    if not path:
        raise BadImage(f"{place}: must be a path, got an empty one")
    try:
        folder, name = open_parent(Path(path), roots) if roots else (None, path)
        try:
            return open(_open_regular_file(folder, name, place), "rb")
        finally:
            if folder is not None:
                os.close(folder)
    except OutsideRoots as error:
        raise BadImage(f"{place}: must lie in an allowed folder, but leads outside") from error
    except (OSError, ValueError) as error:
        raise unreadable_error(path, error) from error


def _open_regular_file(folder: int | None, name: str, place: str) -> int:
    follow = folder is None
    # Checked before opening, since merely opening some devices makes them act ...
    _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=follow), place)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        # ... and again once open, because it may be another file by now.
        found = os.fstat(descriptor)
        _check_regular(found, place)
        if is_kernel_file_system(found.st_dev):
            raise BadImage(f"{place}: must be {EXPECTED_IMAGE}, got a file of the kernel's own")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def load_as_stored(file: str | os.PathLike[str] | IO[bytes], mode: str | None = "RGB") -> npt.NDArray[Any]:
    """Load the pixels of a picture as face_recognition does: not turned by its EXIF, even if truncated.

    `mode` is one of Pillow's, such as "RGB" or "L"; None keeps the picture's own. Returns shape (H, W) or
    (H, W, channels). Raises whatever Pillow raises. Everything else here uses `load_image`, which is
    strict.

    >>> import io
    >>> load_as_stored(io.BytesIO(b"P6 1 1 255 " + bytes([255, 0, 0])), mode="L").tolist()
    [[76]]
    """
    # Process-wide, as in face_recognition from its import on; load_image ignores it.
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    with Image.open(file) as picture:
        converted = picture.convert(mode) if mode else picture
        return copy_rgb(converted) if converted.mode == "RGB" else np.array(converted)


def _check_regular(found: os.stat_result, place: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        kinds = {
            stat.S_IFDIR: "a folder",
            stat.S_IFLNK: "a link that was not there before",
            stat.S_IFIFO: "a pipe",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        kind = kinds.get(stat.S_IFMT(found.st_mode), "a special file")
        raise BadImage(f"{place}: must be {EXPECTED_IMAGE}, got {kind}")


def check_bytes(size: int, place: str, max_bytes: int) -> None:
    """Raise BadImage for a file of a size that no picture has here, or that is not read."""
    if size == 0:
        raise BadImage(f"{place}: must be {EXPECTED_IMAGE}, got an empty file: 0 bytes")
    if size > max_bytes:
        raise BadImage(f"{place}: must have at most {max_bytes:,} bytes, got {size:,}")
