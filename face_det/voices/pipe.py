"""Reads sound that comes through a pipe, as it comes: WAV, or bare samples."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

from face_det.errors import SoundError
from face_det.nets import Float32Array
from face_det.voices.filter_banks import SAMPLE_RATE
from face_det.voices.sound import make_resampler, mix_channels

BLOCK_S = 0.03
"""Sound is passed on in blocks of at most so many seconds, so that answers come soon."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_ENDLESS = 0x7FFF0000
"""Who does not know how long a recording becomes writes such a size, or 0."""
_LARGEST_HEADER = 1 << 20
_COMPRESSED = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"FORM": "AIFF"}


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """How samples follow each other: hertz, channels, bits of a sample, and whether it is an integer."""

    rate: int = SAMPLE_RATE
    channels: int = 1
    bits: int = 16
    integer: bool = True

    def decode(self, data: bytes) -> Float32Array:
        """Return whole frames as numbers in -1..1, shape (n, channels).

        >>> SampleFormat(channels=2).decode(bytes([0, 0x40, 0, 0xC0])).tolist()
        [[0.5, -0.5]]
        """
        samples: Float32Array
        if not self.integer:
            samples = np.asarray(np.frombuffer(data, f"<f{self.bits // 8}"), np.float32)
        elif self.bits == 8:
            samples = np.asarray(np.frombuffer(data, np.uint8) / 128 - 1, np.float32)
        else:
            size = self.bits // 8
            # The bytes become the upper ones of 32 bits, which leaves the sign where it belongs.
            wide = np.zeros((len(data) // size, 4), np.uint8)
            wide[:, 4 - size :] = np.frombuffer(data, np.uint8).reshape(-1, size)
            samples = np.asarray(wide.view("<i4")[:, 0] / 2**31, np.float32)
        return samples.reshape(-1, self.channels)


def read_pipe(
    pipe: IO[bytes], place: str, bare: SampleFormat | None = None, rate: int = SAMPLE_RATE
) -> Iterator[Float32Array]:
    """Yield the sound as it comes, blocks of shape (n,): `rate` hertz, mono, about -1..1; `place` names it.

    A WAV says itself what it holds; anything else is taken for bare little-endian samples, of the format
    `bare` or else 16 bits, mono, 16 kHz. Raises SoundError for a WAV that cannot be read, for other files'
    formats, and for numbers that are no sound.
    """
    source = _Bytes(pipe)
    start = source.take(12)
    layout, length = bare or SampleFormat(), None
    if start[:4] in (b"RIFF", b"RF64") and start[8:] == b"WAVE":
        layout, length = _read_header(source, place)
    elif kind := next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), None):
        raise SoundError(
            f"{place}: must be WAV or bare samples, got {kind}; convert it: ffmpeg -i FILE -f wav - | ..."
        )
    else:
        source.put_back(start)
    resampler = make_resampler(layout.rate, place, rate)
    frame = layout.channels * layout.bits // 8
    rest, position, block = b"", 0, frame * max(1, round(BLOCK_S * layout.rate))
    while piece := source.some(block if length is None else min(block, length)):
        length = None if length is None else length - len(piece)
        data = rest + piece
        whole = len(data) // frame * frame
        rest = data[whole:]
        samples = layout.decode(data[:whole])
        yield resampler.push(mix_channels(samples, f"{place}, {position / layout.rate:.1f} s"))
        position += len(samples)
    yield resampler.finish()


class _Bytes:
    """Bytes of a pipe, of which some may be put back."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._kept = b""

    def put_back(self, data: bytes) -> None:
        self._kept = data + self._kept

    def some(self, size: int) -> bytes:
        """Return at most `size` bytes, b"" at the end."""
        if not self._kept:
            return self._pipe.read(size) if size else b""
        found, self._kept = self._kept[:size], self._kept[size:]
        return found

    def take(self, size: int) -> bytes:
        """Return `size` bytes, fewer at the end."""
        found = b""
        while len(found) < size and (more := self.some(size - len(found))):
            found += more
        return found


def _read_header(source: _Bytes, place: str) -> tuple[SampleFormat, int | None]:
    """Read up to the samples of a WAV; return their format and their number of bytes, None if unknown."""
    layout = None
    while len(head := source.take(8)) == 8:
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        if kind == b"data" and layout is not None:
            return layout, None if size == 0 or size >= _ENDLESS else size
        if kind == b"data" or size > _LARGEST_HEADER:
            break
        content = source.take(size + size % 2)
        if kind == b"fmt ":
            layout = _parse_format(content, place)
    raise SoundError(f"{place}: must be a whole WAV, got one without a format or without samples")


def _parse_format(content: bytes, place: str) -> SampleFormat:
    if len(content) < 16:
        raise SoundError(f"{place}: must be a whole WAV, got a format of {len(content)} bytes")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if tag == _EXTENSIBLE and len(content) >= 26:
        (tag,) = struct.unpack("<H", content[24:26])
    if not channels or (tag, bits) not in {
        *((_PCM, bits) for bits in (8, 16, 24, 32)),
        *((_FLOAT, bits) for bits in (32, 64)),
    }:
        raise SoundError(
            f"{place}: must hold PCM or floating-point samples, got format {tag} with {bits} bits and "
            f"{channels} channels; convert it: ffmpeg -i FILE -f wav - | ..."
        )
    return SampleFormat(rate, channels, bits, tag == _PCM)
