"""Sound that comes through a pipe: WAV of every kind, and bare samples."""

from __future__ import annotations

import io
import itertools
import struct
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from face_det.errors import SoundError
from face_det.nets.network import Float32Array
from face_det.voices import SampleFormat, read_pipe

PLACE = "standard input"
LEFT, RIGHT = np.linspace(-1, 0.9, 4000), np.linspace(0.9, -1, 4000) / 3


def wav(data: bytes, tag: int, bits: int, channels: int = 2, size: int | None = None) -> bytes:
    """A WAV of 16 kHz, with a chunk that nobody knows before the samples and another after them."""
    step = channels * bits // 8
    layout = struct.pack("<HHIIHH", tag, channels, 16000, 16000 * step, step, bits)
    if tag == 0xFFFE:
        layout += struct.pack("<HHIH14s", 22, bits, 3, 1, b"\0" * 14)
    chunks = b"fmt " + struct.pack("<I", len(layout)) + layout + b"odd " + struct.pack("<I", 3) + b"abc\0"
    chunks += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    if size is None:
        chunks += b"LIST" + struct.pack("<I", 400) + b"\x7f" * 400
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


def stereo(bits: int, kind: str) -> bytes:
    """Both channels as samples of that many bits."""
    frames = np.stack([LEFT, RIGHT], axis=1)
    if kind == "f":
        return frames.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return np.round(frames * 128 + 128).astype(np.uint8).tobytes()
    whole = np.round(frames * 2 ** (bits - 1)).astype("<i8").view(np.uint8).reshape(-1, 8)
    return whole[:, : bits // 8].tobytes()


def read(data: bytes, bare: SampleFormat | None = None) -> Float32Array:
    """All sound of a pipe at once."""
    return np.concatenate([*read_pipe(io.BytesIO(data), PLACE, bare), np.zeros(0, np.float32)])


@pytest.mark.parametrize(
    ("kind", "tag", "bits"),
    [("i", 1, 8), ("i", 1, 16), ("i", 1, 24), ("i", 1, 32), ("i", 0xFFFE, 24), ("f", 3, 32), ("f", 3, 64)],
)
def test_samples_of_every_kind_are_read(kind: str, tag: int, bits: int) -> None:
    """Both channels are mixed, and nothing but the samples is heard; a size of 0 or of 4 GB is unknown."""
    data = stereo(bits, kind)
    found = read(wav(data, tag, bits))
    assert found == pytest.approx((LEFT + RIGHT) / 2, abs=0.01 if bits == 8 else 1e-4)
    for size in (0, 0xFFFFFFFF):
        assert np.array_equal(read(wav(data, tag, bits, size=size)), found)


def test_bare_samples_are_what_they_are_said_to_be() -> None:
    """16 kHz and mono, unless something else is said; half a sample at the end is left out."""
    data = stereo(16, "i")
    assert len(read(data + b"\0")) == 8000
    assert read(data, SampleFormat(16000, 2)) == pytest.approx((LEFT + RIGHT) / 2, abs=1e-4)
    assert len(read(data, SampleFormat(48000, 2))) == pytest.approx(1333, abs=2)
    five = np.frombuffer(data, "<i2").reshape(-1, 5).mean(axis=1) / 32768
    assert read(data, SampleFormat(16000, 5)) == pytest.approx(five, abs=1e-4)
    assert len(read(b"")) == 0


def test_what_cannot_be_read_is_one_line() -> None:
    """Other formats, headers that are cut or odd, and numbers that are no sound."""
    nan = np.full(99, np.nan, "<f4").tobytes()
    cases = {
        b"fLaC" + bytes(99): "got FLAC; convert it: ffmpeg",
        b"OggS" + bytes(99): "got Ogg",
        b"ID3" + bytes(99): "got MP3",
        wav(b"", 1, 16)[:30]: "must be a whole WAV, got a format of 10 bytes",
        wav(b"", 1, 16)[:20]: "must be a whole WAV",
        wav(b"", 1, 16)[:12] + b"data" + bytes(99): "must be a whole WAV",
        wav(b"", 1, 16)[:12] + b"odd \xff\xff\xff\x0f": "must be a whole WAV",
        wav(bytes(99), 6, 8): "must hold PCM or floating-point samples, got format 6 with 8 bits",
        wav(bytes(99), 1, 16, channels=0): "0 channels",
        wav(nan, 3, 32, channels=1): "standard input, 0.0 s: must hold finite samples",
    }
    for data, said in cases.items():
        with pytest.raises(SoundError, match=said) as error:
            read(data)
        assert str(error.value).startswith(PLACE)
        assert "\n" not in str(error.value)


class Endless(io.RawIOBase):
    """A pipe that never ends."""

    def __init__(self) -> None:
        self._pieces: Iterator[bytes] = itertools.chain([wav(b"", 1, 16, 1, 0)], itertools.repeat(bytes(960)))
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return what is asked for."""
        while len(self._rest) < size:
            self._rest += next(self._pieces)
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def test_a_stream_without_end_needs_no_more_memory() -> None:
    """After two minutes as little is kept as after one."""
    blocks = read_pipe(Endless(), PLACE)  # type: ignore[arg-type]
    tracemalloc.start()
    held = []
    for _ in range(2):
        for _ in itertools.islice(blocks, 2000):
            pass
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[1] - held[0] < 20_000
