"""Where another video begins within a file: FFmpeg reads one of them and silently skips the others.

In a transport stream, the codec may change anywhere, as it does when a recorder's settings are changed, and
streams may be concatenated as they are. Concatenated MP4 and Matroska files hold several videos as well, and
so do bare streams of MPEG-2, H.264 and HEVC whose codecs differ; one decoder reads on where the codec stays.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

_SYNC, _PACKET = 0x47, 188
_STRIDES = {_PACKET: 0, 192: 4}
"""Distances between packets of a transport stream, with the bytes before each; camcorders write 192."""
_CHUNK = 8 << 20
_NEAR = 20 * 192
"""The tables that announce a video are at most this many bytes apart."""
_VIDEO_TYPES = frozenset({0x01, 0x02, 0x10, 0x1B, 0x24, 0x33, 0xEA})
"""MPEG-1, 2 and 4, H.264, HEVC, VVC and VC-1, as a program map calls them (ISO/IEC 13818-1, table 2-34)."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_EBML = 0x1A45DFA3

_MPEG, _AVC, _HEVC = "MPEG", "AVC", "HEVC"
_START_CODE = b"\0\0\1"
_PACK = 0xBA
"""What follows the first start code of a program stream, which is no bare one."""
_HEADER = re.compile(
    rb"\x00\x00\x01(?:(?P<MPEG>\xb3)"
    # A set of parameters as of H.264, with a profile that exists. In HEVC, this would be layer 32 or a higher
    # one, of which there are none.
    rb"|(?P<AVC>[\x27\x47\x67][\x2c\x42\x4d\x53\x56\x58\x64\x6e\x76\x7a\x80\x8a\xf4])"
    # A set of video parameters as of HEVC. H.264 has no units of such a type, and no MPEG slice begins so.
    rb"|(?P<HEVC>\x40\x01))"
)
"""What each codec's streams begin with, and nothing else in them: no payload holds a start code."""
_NEXT_TYPES = {_AVC: (0x1F, {8, 13, 15}), _HEVC: (0xFF, {0x40, 0x42})}
"""The bits that tell what the next unit is, and what it must be: parameters of the same codec again."""
_LONGEST_HEADER = 4096
_BEFORE = re.compile(rb"(?:\x00?\x00\x00\x01(?:\x09|\x46\x01)[^\x00])?\x00?$")
"""What belongs to a header and stands before it: a zero, and an access unit delimiter of H.264 or HEVC. If a
part ended with another codec's, FFmpeg might not know its own."""
_LONGEST_BEFORE = 8

_Read = Callable[[int, int], bytes]
"""Reads that many bytes from an offset, (offset, length); fewer at the end."""


def find_parts(descriptor: int, alive: Callable[[int], None] = lambda offset: None) -> list[int]:
    """Return the offsets at which the videos of an open file begin; [0] if there is one, as nearly always.

    Transport streams and bare ones are read as a whole for this; `alive` is called with each offset that is
    reached.
    """

    def read(offset: int, length: int) -> bytes:
        return os.pread(descriptor, length, offset)

    head, size = read(0, 2 * max(_STRIDES) + 8), os.fstat(descriptor).st_size
    for stride, before in _STRIDES.items():
        if len(head) > before + stride and head[before] == head[before + stride] == _SYNC:
            return [0, *(at - before for at in _changes(read, size, stride, alive) if at > before)]
    if head[4:8] == b"ftyp":
        return [0, *(at for at, kind in _boxes(read, size) if kind == b"ftyp" and at)]
    if int.from_bytes(head[:4], "big") == _EBML:
        return [0, *(at for at, kind in _elements(read, size) if kind == _EBML and at)]
    code = head.find(_START_CODE)
    if code >= 0 and not any(head[:code]) and head[code + 3 : code + 4] != bytes([_PACK]):
        return [0, *_codec_changes(read, size, alive)]
    return [0]


@dataclass(slots=True)
class _Programs:
    """What the tables of a transport stream have announced so far."""

    order: list[int] = field(default_factory=list)
    """The packet identifiers (PIDs) of the program maps, in the order in which they are listed."""
    videos: dict[int, tuple[int, int]] = field(default_factory=dict)
    """The first video of each: its PID and its type."""

    def take(self, pid: int, section: bytes) -> None:
        """Note what a table announces."""
        if pid == 0 and section[0] == 0:
            listed = [section[at : at + 4] for at in range(8, len(section) - 4, 4)]
            self.order = [_pid(one, 2) for one in listed if one[0] or one[1]]
        elif section[0] == 2 and pid in self.order:
            found = _first_video(section)
            if found is not None:
                self.videos[pid] = found

    @property
    def video(self) -> tuple[int, int] | None:
        """The video that is read."""
        return next((self.videos[pid] for pid in self.order if pid in self.videos), None)


def _changes(read: _Read, size: int, stride: int, alive: Callable[[int], None]) -> Iterator[int]:
    """Yield where a transport stream announces another video than before."""
    programs, video, listed_at = _Programs(), None, 0
    for start in range(0, size, _CHUNK):
        alive(start)
        data = read(start, _CHUNK + stride)
        for at, pid, section in _tables(data, stride, programs):
            if pid == 0:
                listed_at = start + at
            programs.take(pid, section)
            if programs.video is None or programs.video == video:
                continue
            if video is not None:
                place = start + at
                yield listed_at if place - listed_at <= _NEAR else place
            video = programs.video


def _tables(data: bytes, stride: int, programs: _Programs) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset, PID, table) of the tables that list programs or describe one, at whatever offset."""
    values = np.frombuffer(data, np.uint8)
    count = len(values) - stride
    if count <= 0:
        return
    begins = np.flatnonzero((values[:count] == _SYNC) & (values[stride:] == _SYNC))
    begins = begins[values[begins + 1] & 0x40 != 0]
    pids = (values[begins + 1].astype(np.uint16) & 0x1F) << 8 | values[begins + 2]
    for at, pid in zip(begins.tolist(), pids.tolist(), strict=True):
        if pid == 0 or pid in programs.order:
            section = _section(data[at : at + _PACKET])
            if section is not None:
                yield at, pid, section


def _section(packet: bytes) -> bytes | None:
    """Return the table that begins in a packet; None if it is damaged, or continues in the next packet."""
    begin = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    if not packet[3] & 0x10 or begin >= _PACKET:
        return None
    begin += 1 + packet[begin]
    section = packet[begin : begin + 3 + _length(packet, begin + 1)] if begin + 3 <= _PACKET else b""
    whole = len(section) >= 12 and len(section) == 3 + _length(section, 1)
    # MPEG's CRC-32 is zlib's with the bits in reverse order.
    return section if whole and zlib.crc32(section.translate(_REVERSED)) == 0xFFFFFFFF else None


def _first_video(section: bytes) -> tuple[int, int] | None:
    at = 12 + _length(section, 10)
    while at + 5 <= len(section) - 4:
        if section[at] in _VIDEO_TYPES:
            return _pid(section, at + 1), section[at]
        at += 5 + _length(section, at + 3)
    return None


def _pid(data: bytes, at: int) -> int:
    return (data[at] & 0x1F) << 8 | data[at + 1]


def _length(data: bytes, at: int) -> int:
    return (data[at] & 0x0F) << 8 | data[at + 1]


def _codec_changes(read: _Read, size: int, alive: Callable[[int], None]) -> Iterator[int]:
    """Yield where a bare stream goes on in another codec."""
    codec = None
    for start in range(0, size, _CHUNK):
        alive(start)
        before = min(start, _LONGEST_BEFORE)
        data = read(start - before, before + _CHUNK + _LONGEST_HEADER)
        for found in _HEADER.finditer(data, before):
            at, kind = found.start(), found.lastgroup
            if at >= before + _CHUNK or kind == codec or not _is_header(data, found.end(), kind):
                continue
            if codec is not None:
                led_by = _BEFORE.search(data[max(at - _LONGEST_BEFORE, 0) : at])
                yield start - before + at - (len(led_by[0]) if led_by else 0)
            codec = kind


def _is_header(data: bytes, at: int, kind: str | None) -> bool:
    """Tell whether another set of parameters of that codec follows, as it does in a stream that begins."""
    if kind not in _NEXT_TYPES:
        return True
    bits, types = _NEXT_TYPES[kind]
    code = data.find(_START_CODE, at, at + _LONGEST_HEADER)
    following = data[code + 3 : code + 4]
    return code >= 0 and following != b"" and following[0] & bits in types


def _boxes(read: _Read, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, kind) of the outermost boxes of an MP4 file."""
    at = 0
    while at + 8 <= size and len(head := read(at, 16)) >= 8:
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        yield at, head[4:8]
        if length < 8:  # 0: to the end
            return
        at += length


def _elements(read: _Read, size: int) -> Iterator[tuple[int, int]]:
    """Yield (offset, kind) of the outermost elements of a Matroska file."""
    at = 0
    while at < size:
        head = read(at, 16)
        kind, taken = _number(head, 0)
        length, more = _number(head, taken)
        unknown = (1 << 7 * more) - 1
        length &= unknown
        if not taken or not more:
            return
        yield at, kind
        if length == unknown:  # to the end
            return
        at += taken + more + length


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return an EBML number, including its length marker, and its length in bytes; (0, 0) without one."""
    if at >= len(data) or not data[at]:
        return 0, 0
    taken = 9 - data[at].bit_length()
    return int.from_bytes(data[at : at + taken], "big"), taken
