"""Completes JPEG and PNG files that end too early, so that what is there can be decoded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from face_det.media.formats import picture_suffix

_JPEG_END = b"\xff\xd9"
_PNG_END = b"IEND\xae\x42\x60\x82"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_STARTS = (b"\xff\xd8\xff", _PNG_SIGNATURE)
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples per pixel by colour type (PNG specification, 11.2.1)."""
_PNG_KEPT = (b"PLTE", b"tRNS")


def is_cut_off(data: bytes) -> bool:
    """Return True for a JPEG or PNG without its end, and for no bytes at all.

    Zeros at the end do not count: some writers make room first.

    >>> is_cut_off(b""), is_cut_off(b"\\xff\\xd8\\xff\\xe0"), is_cut_off(b"GIF89a")
    (True, True, False)
    """
    found = data.rstrip(b"\0")
    if any(start.startswith(found) for start in _STARTS):
        return True
    kind = picture_suffix(data)
    if kind == ".jpg":
        return not found.endswith(_JPEG_END)
    return kind == ".png" and _PNG_END not in data[-64:]


def complete_picture(data: bytes, max_pixels: int) -> bytes | None:
    """Return a whole file with what is there of a cut one, the rest filled evenly; None if too little is.

    A JPEG needs its header, a PNG its header and that it isn't interlaced. More than `max_pixels` give None.

    >>> complete_picture(b"", 100) is None
    True
    """
    kind = picture_suffix(data)
    if kind == ".jpg":
        return data.rstrip(b"\0") + _JPEG_END
    return _complete_png(data, max_pixels) if kind == ".png" else None


def _complete_png(data: bytes, max_pixels: int) -> bytes | None:
    chunks = list(_png_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        return None
    width, height, bits, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if interlaced or colour not in _PNG_CHANNELS or not 0 < width * height <= max_pixels:
        return None
    row_bytes = 1 + (width * bits * _PNG_CHANNELS[colour] + 7) // 8
    packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
    try:
        rows = zlib.decompressobj().decompress(packed, row_bytes * height)
    except zlib.error:
        return None
    whole = len(rows) // row_bytes
    if not whole:
        return None
    # Rows of "the same as above" (filter type 2) repeat the last row that is there.
    same_as_above = b"\2" + bytes(row_bytes - 1)
    filled = rows[: whole * row_bytes] + same_as_above * (height - whole)
    kept = [chunk for chunk in chunks[1:] if chunk[0] in _PNG_KEPT]
    parts = [chunks[0], *kept, (b"IDAT", zlib.compress(filled, 1)), (b"IEND", b"")]
    return _PNG_SIGNATURE + b"".join(_png_chunk(kind, body) for kind, body in parts)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and content of each chunk; the last one may be cut."""
    at = len(_PNG_SIGNATURE)
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
