"""Pictures in: a path or bytes -> pixels, which paths are allowed, crops and their sharpness."""

from __future__ import annotations

import errno
import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import cv2

from face_det.errors import BadImage
from face_det.faces import Box, Rgb
from face_det.media import beneath
from face_det.media.decode import EXPECTED, decode

_NEVER = (Path("/proc"), Path("/dev"), Path("/sys"))
_SHOWN = 300


def load(
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
        place, data = _place(place), source
        _check_bytes(len(data), place, max_bytes)
    elif isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        place, data = _place(path), read(path, max_bytes=max_bytes, roots=roots)
    else:
        raise BadImage(f"image: must be a path or bytes, got {type(source).__name__}")
    return decode(data, place, max_pixels=max_pixels)


def read(
    source: str | os.PathLike[str], *, max_bytes: int = 100_000_000, roots: Sequence[Path] = ()
) -> bytes:
    """The bytes of a regular file of at most `max_bytes`; nothing is said of what they hold.

    Never waits for a pipe's writer, never touches a device. With `roots`, a path must be what `resolve`
    gave: who changes a folder on the way into a link meanwhile gains nothing. Raises BadImage.
    """
    path = os.fspath(source)
    place = _place(path)
    if not path:
        raise BadImage(f"{place}: must be a path, got an empty one")
    try:
        folder, name = beneath.opened(Path(path), roots) if roots else (None, path)
        try:
            return _read(folder, name, place, max_bytes)
        finally:
            if folder is not None:
                os.close(folder)
    except beneath.Outside as error:
        raise BadImage(f"{place}: must lie in an allowed folder, leads outside") from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _read(folder: int | None, name: str, place: str, max_bytes: int) -> bytes:
    follow = folder is None
    # Asked before opening, since opening alone makes some devices act ...
    _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=follow), place)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        # ... and again of what was opened, which may be another file by now.
        found = os.fstat(descriptor)
        _check_regular(found, place)
        if beneath.is_of_the_kernel(found.st_dev):
            raise BadImage(f"{place}: must be {EXPECTED}, got a file of the kernel's own")
        _check_bytes(found.st_size, place, max_bytes)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(found.st_size)
    finally:
        os.close(descriptor)


def resolve(path: str, *, mount_point: str = "", roots: Sequence[Path] = ()) -> Path:
    """Where a caller's path leads on this machine.

    `mount_point` is put before it, also before an absolute one. With `roots`, the real path (links
    and .. followed) must lie in one of them, and is what is returned. Nothing under /proc, /dev and
    /sys is ever allowed. The file need not exist. Raises BadImage.
    """
    place = _place(path)
    if not path:
        raise BadImage(f"{place}: must be a path, got an empty one")
    target = f"{mount_point.rstrip('/')}/{path.lstrip('/')}" if mount_point else path
    try:
        real = Path(os.path.realpath(target))
        allowed = [Path(os.path.realpath(root)) for root in roots]
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    # As written, too: /proc/self/root/x leads out of /proc again. Not by pathlib, which keeps "..".
    written = Path(os.path.abspath(target).replace("//", "/"))  # noqa: PTH100
    for spelt in (real, written):
        if any(spelt.is_relative_to(never) for never in _NEVER):
            raise BadImage(f"{place}: must be {EXPECTED}, got a path into {', '.join(map(str, _NEVER))}")
    if not allowed:
        return Path(target)
    if not any(real.is_relative_to(root) for root in allowed):
        folders = ", ".join(_place(root) for root in roots)
        raise BadImage(f"{place}: must lie in an allowed folder ({folders}), leads outside")
    return real


def region(box: Box, width: int, height: int) -> tuple[int, int, int, int] | None:
    """The whole pixels of a box within an image of that size: (left, top, right, bottom).

    Each edge loses its fraction, as in `img[int(ymin):int(ymax), int(xmin):int(xmax)]`, and is then
    clipped to the image. None where nothing is left, or an edge is no finite number.
    """
    edges = (box.xmin, box.ymin, box.xmax, box.ymax)
    if not all(math.isfinite(edge) for edge in edges):
        return None
    left, top, right, bottom = (
        min(max(int(edge), 0), limit) for edge, limit in zip(edges, (width, height) * 2, strict=True)
    )
    return (left, top, right, bottom) if left < right and top < bottom else None


def crop(rgb: Rgb, box: Box) -> Rgb | None:
    """The part of an image in a box, as a view; None where `region` is. Its origin is region()[:2]."""
    part = region(box, rgb.shape[1], rgb.shape[0])
    if part is None:
        return None
    left, top, right, bottom = part
    return rgb[top:bottom, left:right]


def focus(rgb: Rgb, box: Box) -> float:
    """Sharpness of the part of an image in a box: the variance of its Laplacian; 0.0 for no part.

    The measure LAP4 of Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000);
    it grows with contrast and with the size of the picture, so thresholds depend on the camera.
    """
    part = crop(rgb, box)
    if part is None:
        return 0.0
    return float(cv2.Laplacian(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


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
        raise BadImage(f"{place}: must be {EXPECTED}, got {kind}")


def _check_bytes(size: int, place: str, max_bytes: int) -> None:
    if size == 0:
        raise BadImage(f"{place}: must be {EXPECTED}, got nothing: 0 bytes")
    if size > max_bytes:
        raise BadImage(f"{place}: must have at most {max_bytes:,} bytes, got {size:,}")


def _unreadable(path: str, error: OSError | ValueError) -> BadImage:
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
    return BadImage(f"{_place(path)}: must be {EXPECTED}, got {got}")


def _place(path: str | os.PathLike[str]) -> str:
    """A path as an error shows it: on one line, printable, and not endless."""
    text = os.fspath(path)
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 60]}...{text[-57:]}"
    return shown if shown and shown.isprintable() else ascii(shown)
