"""Load pictures from a path or bytes, and decide which paths may be read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from face_det.errors import BadImage
from face_det.media.decode import EXPECTED_IMAGE, decode_image
from face_det.types import Rgb

_FORBIDDEN = (Path("/proc"), Path("/dev"), Path("/sys"))
_MAX_SHOWN = 300
"""Longer paths are cut in messages."""
_FOLDER_FLAGS = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
"""O_PATH, because a folder that may be entered but not listed must not stop us."""
_KERNEL_MOUNTS = ("/proc", "/sys")


class _OutsideRoots(Exception):
    """A path that is in none of the allowed folders."""


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
    by its header. The pixels of 8-bit pictures equal Pillow's `Image.open(path).convert("RGB")`. With
    `roots`, the path must come from `resolve_image_path`, and is opened without following links.
    Raises BadImage with a one-line message that names the path, or `place`, where the bytes came from.

    >>> load_image(b"P6 1 1 255 " + bytes([255, 0, 0]))
    array([[[255,   0,   0]]], dtype=uint8)
    >>> load_image(b"hello", place="images[0]")
    Traceback (most recent call last):
    ...
    face_det.errors.BadImage: images[0]: must be a JPEG, PNG, BMP, GIF, WebP, TIFF or PPM picture, got text
    """
    if isinstance(source, bytes):
        place, data = _printable_path(place), source
        _check_bytes(len(data), place, max_bytes)
    elif isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        place, data = _printable_path(path), read_image_bytes(path, max_bytes=max_bytes, roots=roots)
    else:
        raise BadImage(f"image: must be a path or bytes, got {type(source).__name__}")
    return decode_image(data, place, max_pixels=max_pixels)


def read_image_bytes(
    source: str | os.PathLike[str], *, max_bytes: int = 100_000_000, roots: Sequence[Path] = ()
) -> bytes:
    """Read the bytes of a regular file of at most `max_bytes`, whatever they hold.

    Never waits for a pipe's writer and never touches a device. With `roots`, the path must come from
    `resolve_image_path`: swapping a folder on the way for a link in the meantime gains nothing.
    Raises BadImage.

    >>> read_image_bytes("no such file")
    Traceback (most recent call last):
    ...
    face_det.errors.BadImage: no such file: file not found
    """
    path = os.fspath(source)
    place = _printable_path(path)
    if not path:
        raise BadImage(f"{place}: must be a path, got an empty one")
    try:
        folder, name = _open_parent(Path(path), roots) if roots else (None, path)
        try:
            return _read_regular_file(folder, name, place, max_bytes)
        finally:
            if folder is not None:
                os.close(folder)
    except _OutsideRoots as error:
        raise BadImage(f"{place}: must lie in an allowed folder, but leads outside") from error
    except (OSError, ValueError) as error:
        raise _unreadable_error(path, error) from error


def _read_regular_file(folder: int | None, name: str, place: str, max_bytes: int) -> bytes:
    follow = folder is None
    # Checked before opening, since merely opening some devices makes them act ...
    _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=follow), place)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        # ... and again once open, because it may be another file by now.
        found = os.fstat(descriptor)
        _check_regular(found, place)
        if _is_kernel_file_system(found.st_dev):
            raise BadImage(f"{place}: must be {EXPECTED_IMAGE}, got a file of the kernel's own")
        _check_bytes(found.st_size, place, max_bytes)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(found.st_size)
    finally:
        os.close(descriptor)


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
        return np.array(picture.convert(mode) if mode else picture)


def resolve_image_path(path: str, *, mount_point: str = "", roots: Sequence[Path] = ()) -> Path:
    """Resolve a caller's path to a path on this machine.

    `mount_point` is prepended, even to an absolute path. With `roots`, the real path (links and ..
    followed) must lie in one of them, and is returned. Nothing under /proc, /dev and /sys is ever
    allowed. The file need not exist. Raises BadImage.

    >>> resolve_image_path("/photos/1.jpg", mount_point="/mnt/nas")
    PosixPath('/mnt/nas/photos/1.jpg')
    >>> resolve_image_path("/dev/video0")
    Traceback (most recent call last):
    ...
    face_det.errors.BadImage: /dev/video0: must be a JPEG, PNG, BMP, GIF, WebP, TIFF or PPM picture, got a path into /proc, /dev, /sys
    """  # noqa: E501
    place = _printable_path(path)
    if not path:
        raise BadImage(f"{place}: must be a path, got an empty one")
    target = f"{mount_point.rstrip('/')}/{path.lstrip('/')}" if mount_point else path
    try:
        real = Path(os.path.realpath(target))
        allowed = [Path(os.path.realpath(root)) for root in roots]
    except (OSError, ValueError) as error:
        raise _unreadable_error(path, error) from error
    # Also as written: /proc/self/root/x leads out of /proc again. Not with pathlib, which keeps "..".
    written = Path(os.path.abspath(target).replace("//", "/"))  # noqa: PTH100
    for spelt in (real, written):
        if any(spelt.is_relative_to(never) for never in _FORBIDDEN):
            raise BadImage(
                f"{place}: must be {EXPECTED_IMAGE}, got a path into {', '.join(map(str, _FORBIDDEN))}"
            )
    if not allowed:
        return Path(target)
    if not any(real.is_relative_to(root) for root in allowed):
        folders = ", ".join(_printable_path(root) for root in roots)
        raise BadImage(f"{place}: must lie in an allowed folder ({folders}), but leads outside")
    return real


def _open_parent(path: Path, roots: Sequence[Path]) -> tuple[int, str]:
    """Open the folder that a file is in; return its descriptor, for the caller to close, and the file's name.

    `path` must be real: absolute, without links and "..". It was checked before, but may lead elsewhere by
    now, if a folder on the way was swapped for a link. So it is walked again from the allowed folder, one
    folder at a time, without following links. Raises _OutsideRoots, or OSError if a folder is missing or
    is a link.
    """
    root = next((root for root in map(os.path.realpath, roots) if path.is_relative_to(root)), None)
    if root is None or ".." in path.parts:
        raise _OutsideRoots
    *folders, name = path.relative_to(root).parts or (".",)
    descriptor = os.open(root, _FOLDER_FLAGS)
    try:
        for folder in folders:
            inner = os.open(folder, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, name


def _is_kernel_file_system(device: int) -> bool:
    """Return True if the device is the file system of /proc or /sys, whatever path led to it."""
    disk = os.stat("/").st_dev  # noqa: PTH116
    for mount in _KERNEL_MOUNTS:
        try:
            found = os.stat(mount).st_dev  # noqa: PTH116
        except OSError:
            continue
        if device == found != disk:
            return True
    return False


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


def _check_bytes(size: int, place: str, max_bytes: int) -> None:
    if size == 0:
        raise BadImage(f"{place}: must be {EXPECTED_IMAGE}, got an empty file: 0 bytes")
    if size > max_bytes:
        raise BadImage(f"{place}: must have at most {max_bytes:,} bytes, got {size:,}")


def _unreadable_error(path: str, error: OSError | ValueError) -> BadImage:
    if isinstance(error, FileNotFoundError):
        return BadImage(f"{_printable_path(path)}: file not found")
    if isinstance(error, OSError):
        reasons = {
            errno.ENOTDIR: "a path through something that is not a folder",
            errno.EACCES: "a file that this user may not read",
            errno.ENAMETOOLONG: f"a path of {len(path):,} characters, which is too long",
            errno.ELOOP: "links that form a loop",
            errno.ENXIO: "a socket",
        }
        got = reasons.get(error.errno or 0, f"an error: {error.strerror or error}")
    elif "\0" in path:
        got = "a path that contains a zero byte"
    else:
        got = "a path with characters that no file name can contain"
    return BadImage(f"{_printable_path(path)}: must be {EXPECTED_IMAGE}, got {got}")


def _printable_path(path: str | os.PathLike[str]) -> str:
    """Write a path for an error message: printable, on one line, and cut if it is very long."""
    text = os.fspath(path)
    shown = text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 60]}...{text[-57:]}"
    return shown if shown and shown.isprintable() else ascii(shown)
