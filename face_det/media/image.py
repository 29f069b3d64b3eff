"""Pictures in: a path or bytes -> pixels, which paths are allowed, crops and their sharpness."""

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


def load_image(
    source: str | os.PathLike[str] | bytes,
    *,
    max_pixels: int = 100_000_000,
    max_bytes: int = 100_000_000,
    roots: Sequence[Path] = (),
    place: str = "bytes",
) -> Rgb:
    """Load a picture, a path or the bytes of a file, upright as RGB uint8 of shape (H, W, 3).

    Only a regular file is read, and only up to `max_bytes`; a picture of more than `max_pixels` is
    refused by its header. Pixels of 8-bit pictures equal Pillow's `Image.open(path).convert("RGB")`.
    With `roots`, a path must be what `resolve` gave; it is opened without following a link.
    Raises BadImage, with one line that names the path, or `place`, which is whence bytes came.
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
    """The bytes of a regular file of at most `max_bytes`; nothing is said of what they hold.

    Never waits for a pipe's writer, never touches a device. With `roots`, a path must be what `resolve`
    gave: who changes a folder on the way into a link meanwhile gains nothing. Raises BadImage.
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
        raise BadImage(f"{place}: must lie in an allowed folder, leads outside") from error
    except (OSError, ValueError) as error:
        raise _unreadable_error(path, error) from error


def _read_regular_file(folder: int | None, name: str, place: str, max_bytes: int) -> bytes:
    follow = folder is None
    # Asked before opening, since opening alone makes some devices act ...
    _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=follow), place)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        # ... and again of what was opened, which may be another file by now.
        found = os.fstat(descriptor)
        _check_regular(found, place)
        if _is_kernel_file_system(found.st_dev):
            raise BadImage(f"{place}: must be {EXPECTED_IMAGE}, got a file of the kernel's own")
        _check_bytes(found.st_size, place, max_bytes)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(found.st_size)
    finally:
        os.close(descriptor)


def resolve_image_path(path: str, *, mount_point: str = "", roots: Sequence[Path] = ()) -> Path:
    """Where a caller's path leads on this machine.

    `mount_point` is put before it, also before an absolute one. With `roots`, the real path (links
    and .. followed) must lie in one of them, and is what is returned. Nothing under /proc, /dev and
    /sys is ever allowed. The file need not exist. Raises BadImage.
    """
    place = _printable_path(path)
    if not path:
        raise BadImage(f"{place}: must be a path, got an empty one")
    target = f"{mount_point.rstrip('/')}/{path.lstrip('/')}" if mount_point else path
    try:
        real = Path(os.path.realpath(target))
        allowed = [Path(os.path.realpath(root)) for root in roots]
    except (OSError, ValueError) as error:
        raise _unreadable_error(path, error) from error
    # As written, too: /proc/self/root/x leads out of /proc again. Not by pathlib, which keeps "..".
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
        raise BadImage(f"{place}: must lie in an allowed folder ({folders}), leads outside")
    return real


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
        raise BadImage(f"{place}: must be {EXPECTED_IMAGE}, got nothing: 0 bytes")
    if size > max_bytes:
        raise BadImage(f"{place}: must have at most {max_bytes:,} bytes, got {size:,}")


def _unreadable_error(path: str, error: OSError | ValueError) -> BadImage:
    if isinstance(error, OSError):
        reasons = {
            errno.ENOENT: "no such file",
            errno.ENOTDIR: "a path through something that is no folder",
            errno.EACCES: "one that this user may not read",
            errno.ENAMETOOLONG: f"a path of {len(path):,} characters, more than a file's can have",
            errno.ELOOP: "links that go in a circle",
            errno.ENXIO: "a socket",
        }
        got = reasons.get(error.errno or 0, f"an error: {error.strerror or error}")
    elif "\0" in path:
        got = "a path with a zero byte in it"
    else:
        got = "a path with characters that no file's can have"
    return BadImage(f"{_printable_path(path)}: must be {EXPECTED_IMAGE}, got {got}")


def _printable_path(path: str | os.PathLike[str]) -> str:
    """A path as an error shows it: on one line, printable, and not endless."""
    text = os.fspath(path)
    shown = text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 60]}...{text[-57:]}"
    return shown if shown and shown.isprintable() else ascii(shown)


def load_as_stored(file: str | os.PathLike[str] | IO[bytes], mode: str | None = "RGB") -> npt.NDArray[Any]:
    """The pixels of a picture, neither turned by its EXIF nor refused for being cut short.

    `mode` is Pillow's, as in "RGB" or "L"; None keeps the picture's own. What cannot be opened
    raises what Pillow raises. Everything else in this project loads by image.load, which is strict.
    """
    # Process-wide, as face_recognition has it from its import on; image.load does not look at it.
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    with Image.open(file) as picture:
        return np.array(picture.convert(mode) if mode else picture)


_FOLDER_FLAGS = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
"""O_PATH: folders that may be passed through, but not listed, are no obstacle."""
_KERNEL_MOUNTS = ("/proc", "/sys")


class _OutsideRoots(Exception):
    """A path that is in none of the allowed folders."""


def _open_parent(path: Path, roots: Sequence[Path]) -> tuple[int, str]:
    """A descriptor of the folder that a file is in, and the file's name in it; the caller closes it.

    `path` is real: absolute, without links and "..". Raises Outside; OSError where a folder is not
    there, or is a link.
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
    """Whether that is the file system of /proc or /sys, by whatever path one came to it."""
    disk = os.stat("/").st_dev  # noqa: PTH116
    for mount in _KERNEL_MOUNTS:
        try:
            found = os.stat(mount).st_dev  # noqa: PTH116
        except OSError:
            continue
        if device == found != disk:
            return True
    return False
