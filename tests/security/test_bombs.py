"""Small files that unpack to huge pictures are refused by their header, at once and under a memory limit."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

MEMORY = 200 * 2**20
"""The memory that a reader may take beyond its libraries, in bytes."""
PROGRAM = """
import resource, sys
from face_det.errors import BadImage
from face_det.media import load_image
import numpy, PIL.Image
with open('/proc/self/statm') as file:
    size = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + int(sys.argv[2]), size + int(sys.argv[2])))
try:
    print(load_image(sys.argv[1]).shape)
except BadImage as error:
    print(error)
"""


def png(width: int, height: int, rows: bytes = b"", *extra: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = b"".join(chunk(*one) for one in extra) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def saved(kind: str, side: int, frames: int = 1) -> bytes:
    file = io.BytesIO()
    pictures = [Image.new("L", (side, side), number % 256) for number in range(frames)]
    options = {"save_all": True, "append_images": pictures[1:]} if frames > 1 else {}
    pictures[0].save(file, kind, **options)
    return file.getvalue()


def huge(kind: str) -> bytes:
    """Make a file of one pixel whose header claims 65,000 by 65,000, or as much as the format allows."""
    data = bytearray(saved(kind, 1))
    side = 65_000
    if kind == "BMP":
        data[18:26] = struct.pack("<ii", side, side)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", side, side)
    elif kind == "JPEG":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    elif kind == "PPM":
        data = bytearray(b"P6\n65000 65000\n255\n\0\0\0")
    elif kind == "TIFF":
        (count_at,) = struct.unpack_from("<I", data, 4)
        for entry in range(count_at + 2, count_at + 2 + 12 * struct.unpack_from("<H", data, count_at)[0], 12):
            if struct.unpack_from("<H", data, entry)[0] in (256, 257):
                struct.pack_into("<HHII", data, entry, struct.unpack_from("<H", data, entry)[0], 4, 1, side)
    return bytes(data)


BOMBS: dict[str, Callable[[], bytes]] = {
    "png of 4e18 pixels": lambda: png(2**31 - 1, 2**31 - 1),
    "png of 65,000 squared, with its rows": lambda: png(65_000, 65_000, bytes(10**7)),
    "png whose text unpacks to 1 GB": lambda: png(
        1, 1, b"\0\1\2\3", (b"zTXt", b"a\0\0" + zlib.compress(bytes(2**30), 1))
    ),
    "png whose profile unpacks to 1 GB": lambda: png(
        1, 1, b"\0\1\2\3", (b"iCCP", b"a\0\0" + zlib.compress(bytes(2**30), 1))
    ),
    **{
        f"{kind} of 65,000 squared": lambda kind=kind: huge(kind)
        for kind in ("BMP", "GIF", "JPEG", "PPM", "TIFF")
    },
    "webp of 16,384 squared": lambda: b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0/" + b"\xff" * 4 + bytes(8),
    "webp canvas of 16,777,216 squared": lambda: b"RIFF\x12\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff" * 6,
}


def loaded(data: bytes, folder: Path) -> str:
    path = folder / "bomb"
    path.write_bytes(data)
    command = [sys.executable, "-c", PROGRAM, str(path), str(MEMORY)]
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 5
    return done.stdout.strip()


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(bomb: str, tmp_path: Path) -> None:
    """Each bomb is refused in one line, with less than 200 MB and 5 s of CPU time."""
    said = loaded(BOMBS[bomb](), tmp_path)
    assert said.startswith(f"{tmp_path}/bomb: must ")
    assert "\n" not in said


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_of_many_frames_one_is_read(kind: str, tmp_path: Path) -> None:
    """Only the first of a thousand frames is read; all would take 270 MB."""
    assert loaded(saved(kind, 300, 1000), tmp_path) == "(300, 300, 3)"
