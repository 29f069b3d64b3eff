"""Where another video begins within a file, also in files that lie about what they hold."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from face_det.video.parts import find_parts

SIZE = 40_000
BEGINNINGS = {
    "ts": bytes([0x47]) + bytes(187) + bytes([0x47]) + bytes(187),
    "m2ts": bytes(4) + bytes([0x47]) + bytes(191) + bytes([0x47]) + bytes(187),
    "mp4": b"\0\0\0\x18ftypisom" + bytes(12),
    "mkv": bytes.fromhex("1a45dfa3"),
    "h264": b"\0\0\0\1\x67\x42",
    "nothing": b"",
}


def parts_of(path: Path, data: bytes) -> list[int]:
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return find_parts(descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_garbage(tmp_path: Path, kind: str) -> None:
    """However a file goes on, offsets within it come, in order, and the first is 0."""
    rng = np.random.default_rng(4)
    for length in (0, 1, 7, 8, 30, 400, SIZE):
        for most in (2, 72, 256):
            tail = rng.integers(0, most, length, np.uint8)
            tail[rng.random(length) < 0.3] = 0x47
            data = BEGINNINGS[kind] + tail.tobytes()
            found = parts_of(tmp_path / "file", data)
            assert found[0] == 0
            assert found == sorted(set(found))
            assert found[-1] <= len(data)


def section(kind: int, body: bytes) -> bytes:
    """A table with its checksum, in a packet of its own."""
    table = bytes([kind, 0xB0, len(body) + 9, 0, 1, 0xC1, 0, 0]) + body
    register = 0xFFFFFFFF
    for byte in table:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1 ^ (0x04C11DB7 if register >> 31 else 0)) & 0xFFFFFFFF
    return table + register.to_bytes(4, "big")


def packet(pid: int, table: bytes) -> bytes:
    return (bytes([0x47, 0x40 | pid >> 8, pid & 255, 0x10, 0]) + table).ljust(188, b"\xff")


def announce(kind: int, pid: int = 256, map_pid: int = 32) -> bytes:
    """The tables of a stream with sound and a video of that type, and something that is neither."""
    listed = section(0, bytes([0, 1, 0xE0 | map_pid >> 8, map_pid & 255]))
    sound = bytes([0x0F, 0xE1, 1, 0xF0, 2, 9, 9])
    video = bytes([kind, 0xE0 | pid >> 8, pid & 255, 0xF0, 0])
    described = section(2, bytes([0xE1, 0, 0xF0, 0]) + sound + video)
    return packet(0, listed) + packet(map_pid, described) + packet(pid, b"\0\0\1\xe0")


@pytest.mark.parametrize("gap", [0, 4])
def test_tables_of_a_transport_stream(tmp_path: Path, gap: int) -> None:
    """Another codec, number or map is another video; what is said again, damaged or without video is not."""

    def laid_out(packets: bytes) -> bytes:
        return b"".join(bytes(gap) + packets[at : at + 188] for at in range(0, len(packets), 188))

    one, other = announce(0x1B), announce(0x24)
    damaged = bytearray(other)
    damaged[188 + 30] ^= 1
    radio = announce(0x0F)
    last = packet(0x1FFF, b"")
    length = len(laid_out(one))
    for stream, begins in (
        ([one, one, bytes(damaged), radio, one], []),
        ([one, one, other, other], [2]),
        ([one, other, one], [1, 2]),
        ([one, announce(0x1B, pid=257)], [1]),
        ([one, announce(0x1B, map_pid=33), announce(0x24, map_pid=33)], [2]),
    ):
        data = laid_out(b"".join(stream) + last)
        assert parts_of(tmp_path / "file", data) == [0, *(length * at for at in begins)]


def test_a_transport_stream_that_lost_bytes(tmp_path: Path) -> None:
    """What follows is found nevertheless, and it does not matter how a file falls into chunks."""
    one, other = announce(0x1B), announce(0x24)
    filler = packet(0x1FFF, b"") * 300
    data = one + filler[:-100] + other + filler
    begin = len(one + filler) - 100
    assert parts_of(tmp_path / "file", data) == [0, begin]
    with pytest.MonkeyPatch.context() as patch:
        for chunk in (188, 1000, 5000):
            patch.setattr("face_det.video.parts._CHUNK", chunk)
            assert parts_of(tmp_path / "file", data) == [0, begin]


AVC = b"\0\0\0\1\x67\x42\xc0\x1e\0\0\0\1\x68\xce\0\0\1\x65\x88" + bytes(range(5, 200))
HEVC = b"\0\0\0\1\x40\1\x0c\0\0\1\x42\1\1\0\0\1\x44\1\xc1\0\0\1\x26\1\xaf" + bytes(range(5, 200))
MPEG = b"\0\0\1\xb3\x14\0\xf0\0\0\1\xb8\0\0\1\0\0\0\1\1\x13" + bytes(range(5, 200))
DELIMITER = b"\0\0\0\1\x09\xf0"


def test_another_codec_in_a_bare_stream(tmp_path: Path) -> None:
    """Each change begins a part, with its delimiter; the same codec again, or half a header, does not."""
    for stream, begins in (
        ([AVC, AVC, HEVC, HEVC, AVC], [2, 4]),
        ([HEVC, DELIMITER + AVC, AVC], [1]),
        ([MPEG, AVC, MPEG, HEVC], [1, 2, 3]),
        ([AVC, HEVC[:7], AVC], []),
        ([b"\0\0\1\x41" + bytes(range(5, 200)), AVC], []),
        ([b"\0\0\1\xba", AVC, HEVC], []),
        ([b"no start code", AVC, HEVC], []),
    ):
        data, wanted = b"".join(stream), [len(b"".join(stream[:at])) for at in begins]
        for chunk in (8 << 20, 97, 301):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("face_det.video.parts._CHUNK", chunk)
                assert parts_of(tmp_path / "file", data) == [0, *wanted], (begins, chunk)
