"""Whether a JPEG is spoilt in its middle, as far as its marks tell.

libjpeg decodes damaged code into garbage, or into grey, and only remarks on it where nobody listens. But in
the code of a picture the byte 0xFF may be followed by few others (ITU-T T.81, B.1.1.2 to B.1.1.5), and
segments must begin where the last one ended. A stretch of other bytes breaks that, unless it is short or
holds no 0xFF.
"""

from __future__ import annotations

import re

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_BETWEEN_SCANS = {0xC4, 0xCC, _START_OF_SCAN, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE}
"""What may stand behind a scan besides the end: tables, the next scan, notes."""


def find_marker_fault(data: bytes) -> str | None:
    """What is wrong with the marks of a JPEG, from its first scan to its first end; None for nothing."""
    at = _first_scan(data)
    while at is not None:
        # Behind a mark stands the length of its segment; behind a scan's head its code.
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        found = _MARKER.search(data, at)
        if found is None or found[1][0] == _END_OF_IMAGE:
            return None
        if found[1][0] not in _BETWEEN_SCANS:
            return f"mark 0x{found[1][0]:02x} in its code, at byte {found.start()}"
        at = found.end() - 2
        while data[at + 1] != _START_OF_SCAN:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if data[at : at + 1] != b"\xff":
                return f"no mark at byte {at}"
            while data[at + 1 : at + 2] == b"\xff":
                at += 1
            if data[at + 1 : at + 2] in (b"", bytes([_END_OF_IMAGE])):
                return None
    return None


def _first_scan(data: bytes) -> int | None:
    """Where the mark of the first scan stands; None where the head is something for libjpeg to judge."""
    at = 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        if data[at + 1] == 0xFF:
            at += 1
        elif data[at + 1] == _START_OF_SCAN:
            return at
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
