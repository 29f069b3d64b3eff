"""Reads Universal Binary JSON (ubjson.org, draft 12), as xgboost writes it.

Typed arrays become numpy arrays. The input is not trusted: no length may exceed the bytes that are left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_NUMBER_TYPES: dict[bytes, np.dtype[Any]] = {
    b"i": np.dtype(">i1"),
    b"U": np.dtype(">u1"),
    b"I": np.dtype(">i2"),
    b"l": np.dtype(">i4"),
    b"L": np.dtype(">i8"),
    b"d": np.dtype(">f4"),
    b"D": np.dtype(">f8"),
}
_CONSTANTS: dict[bytes, Any] = {b"Z": None, b"T": True, b"F": False}


def parse_ubjson(data: bytes) -> Any:
    """Parse UBJSON. Raises ValueError if the bytes are something else, RecursionError if nested too deeply.

    >>> parse_ubjson(b"{i" + bytes([1]) + b"ai" + bytes([7]) + b"}")
    {'a': 7}
    """
    return _UbjsonReader(data).value()


class _UbjsonReader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def value(self) -> Any:
        """Read the next value, marker first."""
        return self._after(self._take(1))

    def _after(self, marker: bytes) -> Any:
        if marker == b"{":
            return self._object()
        if marker == b"[":
            return self._array()
        if marker == b"S":
            return self._text()
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in _NUMBER_TYPES:
            return self._numbers(_NUMBER_TYPES[marker], 1)[0].item()
        raise ValueError(f"{marker!r} at {self._at - 1} is not a UBJSON marker")

    def _object(self) -> dict[str, Any]:
        found = {}
        while self._peek() != b"}":
            key = self._text()
            found[key] = self.value()
        self._take(1)
        return found

    def _array(self) -> Any:
        kind = None
        if self._peek() == b"$":
            kind = self._take(2)[1:]
        if self._peek() != b"#":
            items = []
            while self._peek() != b"]":
                items.append(self.value())
            self._take(1)
            return items
        self._take(1)
        count = self._length()
        if kind is not None and kind in _NUMBER_TYPES:
            dtype = _NUMBER_TYPES[kind]
            return self._numbers(dtype, count).astype(dtype.newbyteorder("="))
        return [self.value() if kind is None else self._after(kind) for _ in range(count)]

    def _text(self) -> str:
        return self._take(self._length()).decode("utf-8")

    def _length(self) -> int:
        marker = self._take(1)
        if marker not in (b"i", b"U", b"I", b"l", b"L"):
            raise ValueError(f"{marker!r} at {self._at - 1} is not a length")
        length = int(self._numbers(_NUMBER_TYPES[marker], 1)[0])
        if not 0 <= length <= len(self._data) - self._at:
            raise ValueError(f"a length of {length}, with {len(self._data) - self._at} bytes left")
        return length

    def _numbers(self, dtype: np.dtype[Any], count: int) -> np.ndarray[Any, Any]:
        return np.frombuffer(self._take(dtype.itemsize * count), dtype)

    def _peek(self) -> bytes:
        return self._data[self._at : self._at + 1]

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) < size:
            raise ValueError("the data ends too soon")
        self._at += size
        return taken
