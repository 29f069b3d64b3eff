"""Recognises the format of a picture by its first bytes, whatever the file is called."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

PICTURE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".bmp",
        ".gif",
        ".webp",
        ".tif",
        ".tiff",
        ".ppm",
        ".heic",
        ".heif",
        ".hif",
        ".avif",
    ]
)
"""Suffixes that promise a picture, in lower case; they match in any case."""

_HEAD_BYTES = 64
_MAGIC = (
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), ".png"),
    (re.compile(rb"BM"), ".bmp"),
    (re.compile(rb"GIF8[79]a"), ".gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+"), ".tif"),
    (re.compile(rb"P[4-6]\s"), ".ppm"),
)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}


def picture_suffix(data: bytes) -> str | None:
    """Return the usual suffix of a picture's format, from its first bytes; None for any other file.

    >>> picture_suffix(b"GIF89a"), picture_suffix(b"hello")
    ('.gif', None)
    >>> picture_suffix(b"\\0\\0\\0\\x18ftypheic\\0\\0\\0\\0mif1heic")
    '.heic'
    """
    if data[4:8] == b"ftyp":  # ISO/IEC 14496-12, 4.3: a major brand, a version, and compatible brands
        end = min(int.from_bytes(data[:4], "big"), _HEAD_BYTES)
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
        if brands & _AVIF_BRANDS:
            return ".avif"
        return ".heic" if brands & _HEIC_BRANDS else None
    return next((suffix for magic, suffix in _MAGIC if magic.match(data)), None)


def is_picture_file(path: Path) -> bool:
    """Return True for a file that is named like a picture or begins like one.

    A file with a picture's suffix counts whatever it holds, so that a damaged photo is noticed. Links to
    files are followed. A file that cannot be read begins like nothing.

    >>> is_picture_file(Path("no such file"))
    False
    """
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return not path.is_dir()
    try:
        # Checked first, because opening a pipe may wait and opening a device may make it act.
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return picture_suffix(os.read(descriptor, _HEAD_BYTES)) is not None
    except OSError:
        return False
    finally:
        os.close(descriptor)
