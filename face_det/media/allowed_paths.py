"""Which paths may be read: within allowed folders, never the kernel's, never through a swapped link."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path

from face_det.errors import BadImage
from face_det.media.decode import EXPECTED_IMAGE

FORBIDDEN = (Path("/proc"), Path("/dev"), Path("/sys"))
"""Folders of the kernel, from which no picture is read."""
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MAX_SHOWN = 300
"""Longer paths are cut in messages."""
_FOLDER_FLAGS = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
"""O_PATH, because a folder that may be entered but not listed must not stop us."""
_KERNEL_MOUNTS = ("/proc", "/sys")


class OutsideRoots(Exception):
    """A path that is in none of the allowed folders."""


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
    face_det.errors.BadImage: /dev/video0: must be a JPEG, PNG, BMP, GIF, WebP, TIFF, PPM, AVIF or HEIC picture, got a path into /proc, /dev, /sys
    """  # noqa: E501
    place = printable_path(path)
    if not path:
        raise BadImage(f"{place}: must be a path, got an empty one")
    if _URL.match(path):
        raise BadImage(f"{place}: must be a file, got a URL; download the picture first, or send its bytes")
    target = f"{mount_point.rstrip('/')}/{path.lstrip('/')}" if mount_point else path
    try:
        real = Path(os.path.realpath(target))
        allowed = [Path(os.path.realpath(root)) for root in roots]
    except (OSError, ValueError) as error:
        raise unreadable_error(path, error) from error
    # Also as written: /proc/self/root/x leads out of /proc again. Not with pathlib, which keeps "..".
    written = Path(os.path.abspath(target).replace("//", "/"))  # noqa: PTH100
    for spelt in (real, written):
        if any(spelt.is_relative_to(never) for never in FORBIDDEN):
            raise BadImage(
                f"{place}: must be {EXPECTED_IMAGE}, got a path into {', '.join(map(str, FORBIDDEN))}"
            )
    if not allowed:
        return Path(target)
    if not any(real.is_relative_to(root) for root in allowed):
        folders = ", ".join(printable_path(root) for root in roots)
        raise BadImage(f"{place}: must lie in an allowed folder ({folders}), but leads outside")
    return real


def open_parent(path: Path, roots: Sequence[Path]) -> tuple[int, str]:
    """Open the folder that a file is in; return its descriptor, for the caller to close, and the file's name.

    `path` must be real: absolute, without links and "..". It was checked before, but may lead elsewhere by
    now, if a folder on the way was swapped for a link. So it is walked again from the allowed folder, one
    folder at a time, without following links. Raises OutsideRoots, or OSError if a folder is missing or
    is a link.
    """
    root = next((root for root in map(os.path.realpath, roots) if path.is_relative_to(root)), None)
    if root is None or ".." in path.parts:
        raise OutsideRoots
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


def is_kernel_file_system(device: int) -> bool:
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


def unreadable_error(path: str, error: OSError | ValueError) -> BadImage:
    """Return the error for a path that cannot be opened, in words that help."""
    if isinstance(error, FileNotFoundError):
        return BadImage(f"{printable_path(path)}: file not found")
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
    return BadImage(f"{printable_path(path)}: must be {EXPECTED_IMAGE}, got {got}")


def printable_path(path: str | os.PathLike[str]) -> str:
    """Write a path for an error message: printable, on one line, and cut if it is very long."""
    text = os.fspath(path)
    shown = text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 60]}...{text[-57:]}"
    return shown if shown and shown.isprintable() else ascii(shown)
