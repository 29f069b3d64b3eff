"""Detects damage inside a JPEG by its markers.

libjpeg decodes damaged data to garbage or to grey, and its warnings go nowhere. But in entropy-coded data
only a few bytes may follow 0xFF (ITU-T T.81, B.1.1.2 to B.1.1.5), and each segment must begin where the
last one ended. A run of foreign bytes breaks these rules, unless it is short or holds no 0xFF.
"""

from __future__ import annotations

import re

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_BETWEEN_SCANS = {0xC4, 0xCC, _START_OF_SCAN, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE}
"""What may follow a scan besides the end: tables, the next scan, application data, comments."""


def find_marker_fault(data: bytes) -> str | None:
    """Describe the first fault among a JPEG's markers, from its first scan to its first end; None if none.

    >>> find_marker_fault(b"\\xff\\xd8" + b"\\xff\\xda\\0\\2" + b"code" + b"\\xff\\xd9") is None
    True
    >>> find_marker_fault(b"\\xff\\xd8" + b"\\xff\\xda\\0\\2" + b"co\\xff\\x99de" + b"\\xff\\xd9")
    'marker 0x99 in its data, at byte 8'
    """
    at = _first_scan(data)
    while at is not None:
        # A marker is followed by the length of its segment, a scan's header by its data.
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found = _MARKER.search(data, at)
        if found is None or found[1][0] == _END_OF_IMAGE:
            return None
        if found[1][0] not in _BETWEEN_SCANS:
            return f"marker 0x{found[1][0]:02x} in its data, at byte {found.start()}"
        at = found.end() - 2
        while data[at + 1] != _START_OF_SCAN:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if data[at : at + 1] != b"\xff":
                return f"no marker at byte {at}"
            while data[at + 1 : at + 2] == b"\xff":
                at += 1
            if data[at + 1 : at + 2] in (b"", bytes([_END_OF_IMAGE])):
                return None
    return None


def _first_scan(data: bytes) -> int | None:
    """Find the marker of the first scan; None if the header is malformed, which libjpeg will report."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        if data[at + 1] == 0xFF:
            at += 1
        elif data[at + 1] == _START_OF_SCAN:
            return at
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
