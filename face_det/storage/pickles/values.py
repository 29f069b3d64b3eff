"""Makes arrays, numbers and Python's built-in types from arguments in a pickle, after checking them.

A wrong argument is an UnpicklingError. Nothing here takes much more memory than the file has bytes, or
makes numpy follow a pointer from the file.
"""

from __future__ import annotations

import math
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

PLAIN_DTYPE = re.compile(r"[<>|=]?(?:[biufc?]\d{0,2}|[SU]\d*|O8?)")
"""Element types of arrays: booleans, numbers, text, objects."""

STRUCTURED_DTYPE = re.compile(r"[<>|=]?V\d+")
"""The element type of a search tree's nodes. Dropped: its state could put fields at any address."""


@dataclass(frozen=True, slots=True)
class GlobalName:
    """A name in a pickle, not the object that it names."""

    module: str
    name: str

    def __str__(self) -> str:
        """Return the dotted name, as Python writes it."""
        return f"{self.module}.{self.name}"


class Discarded:
    """Stands in for something whose content is thrown away."""


def wrong_type_error(what: str, value: object) -> pickle.UnpicklingError:
    """Return the error for a value of the wrong type; `what` says what was expected."""
    return pickle.UnpicklingError(f"{what} that cannot be {type(value).__name__}")


def hashable_key(value: Any) -> Any:
    """Return the key of a dictionary or set if it is quick to hash; nested tuples can take forever.

    Raises UnpicklingError otherwise.
    """
    if isinstance(value, (str, bytes, int, float, complex, np.generic, type(None))):
        return value
    if type(value) is tuple and all(isinstance(item, (str, bytes, int, float)) for item in value):
        return value
    raise wrong_type_error("key", value)


# ---- arrays


def _new_array(kind: object, shape: object, typecode: object) -> object:
    if kind != GlobalName("numpy", "ndarray") or shape != (0,) or typecode not in (b"b", "b"):
        raise pickle.UnpicklingError("an array that starts with a shape")
    return np.empty((0,), dtype=np.int8)


def restore_array(array: np.ndarray[Any, Any], state: Any) -> None:
    """Set the state of a new array, if the content is as long as its shape and type say.

    The state is (version, shape, dtype, Fortran order, content). Raises UnpicklingError.
    """
    if not isinstance(state, tuple) or len(state) not in (4, 5) or array.size or array.base is not None:
        raise wrong_type_error("array's state", state)
    shape, dtype, fortran, content = state[-4:]
    if isinstance(dtype, Discarded):
        return
    content = content.encode("latin1") if isinstance(content, str) else content
    count = _element_count(shape)
    if not isinstance(dtype, np.dtype) or type(fortran) not in (bool, int):
        raise wrong_type_error("array's type", dtype)
    if not dtype.itemsize:
        fits = count == 0
    elif dtype.hasobject:
        fits = type(content) is list and len(content) == count
    else:
        fits = isinstance(content, (bytes, bytearray)) and len(content) == count * dtype.itemsize
    if not fits:
        raise pickle.UnpicklingError(f"an array of shape {shape} with other content")
    array.__setstate__((1, shape, dtype, bool(fortran), content))  # type: ignore[arg-type]


def _element_count(shape: object) -> int:
    if not isinstance(shape, tuple) or len(shape) > 32:
        raise wrong_type_error("shape", shape)
    if not all(type(n) is int and 0 <= n < 2**48 for n in shape):
        raise wrong_type_error("shape", shape)
    return math.prod(shape)


def _dtype(spec: object, align: object = False, copy: object = True) -> object:
    if isinstance(spec, str) and STRUCTURED_DTYPE.fullmatch(spec):
        return Discarded()
    if not isinstance(spec, str) or not PLAIN_DTYPE.fullmatch(spec):
        raise pickle.UnpicklingError(f"an array of {str(spec)[:40]!r}: must be numbers, text or objects")
    # A copy, because state with its byte order may follow.
    return np.dtype(np.dtype(spec), copy=True)


def restore_dtype(dtype: np.dtype[Any], state: Any) -> None:
    """Set the byte order of a dtype, the only part of its state that its name does not give."""
    if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "="):
        raise wrong_type_error("type's state", state)
    if any(part is not None for part in state[2:5]):
        raise pickle.UnpicklingError("an array of structures")
    dtype.__setstate__(dtype.newbyteorder(state[1]).__reduce__()[2])  # type: ignore[attr-defined]


def _scalar(dtype: object, content: object) -> object:
    content = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(dtype, np.dtype) or dtype.hasobject or not isinstance(content, bytes):
        raise wrong_type_error("number", content)
    if len(content) != dtype.itemsize:
        raise pickle.UnpicklingError(f"a number of {len(content)} bytes, which must have {dtype.itemsize}")
    return np.frombuffer(content, dtype)[0] if dtype.itemsize else dtype.type()


def _from_buffer(content: object, dtype: object, shape: object, order: object) -> object:
    if isinstance(dtype, Discarded):
        return dtype
    if not isinstance(content, (bytes, bytearray)) or not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise wrong_type_error("array's content", content)
    _element_count(shape)
    if order not in ("C", "F"):
        raise wrong_type_error("order", order)
    return np.frombuffer(content, dtype).reshape(shape, order=order)  # type: ignore[call-overload]


# ---- Python's built-in types


def _encode(text: object, codec: object) -> bytes:
    """Make bytes, as protocol 2 writes them."""
    if not isinstance(text, str) or codec not in ("latin1", "latin-1"):
        raise wrong_type_error("bytes", text)
    return text.encode("latin1")


def _bytes(content: object = b"") -> bytes:
    if not isinstance(content, bytes):
        raise wrong_type_error("bytes", content)
    return content


def _bytearray(content: object = b"", codec: object = "latin1") -> bytearray:
    # Not a number: bytearray(10**12) would take a terabyte.
    return bytearray(content if isinstance(content, bytes) else _encode(content, codec))


def _set(items: object = ()) -> set[Any]:
    if type(items) not in (list, tuple):
        raise wrong_type_error("set", items)
    return {hashable_key(item) for item in items}  # type: ignore[attr-defined]


def _frozenset(items: object = ()) -> frozenset[Any]:
    return frozenset(_set(items))


def _ordered(items: object = ()) -> OrderedDict[Any, Any]:
    if type(items) not in (list, tuple):
        raise wrong_type_error("dictionary", items)
    return OrderedDict((hashable_key(name), value) for name, value in items)  # type: ignore[attr-defined]


def _complex(real: object, imaginary: object) -> complex:
    if not isinstance(real, float) or not isinstance(imaginary, float):
        raise wrong_type_error("number", real)
    return complex(real, imaginary)


_BUILTINS: dict[str, Callable[..., object]] = {
    "bytes": _bytes,
    "bytearray": _bytearray,
    "set": _set,
    "frozenset": _frozenset,
    "complex": _complex,
    "slice": slice,
}

ALLOWED_FUNCTIONS: dict[str, Callable[..., object]] = {
    "_codecs.encode": _encode,
    "collections.OrderedDict": _ordered,
    "numpy.dtype": _dtype,
    # Python 3, and protocol 2
    **{
        f"{module}.{name}": make for module in ("builtins", "__builtin__") for name, make in _BUILTINS.items()
    },
    # numpy 1 and 2
    **{f"{core}.multiarray._reconstruct": _new_array for core in ("numpy.core", "numpy._core")},
    **{f"{core}.multiarray.scalar": _scalar for core in ("numpy.core", "numpy._core")},
    **{f"{core}.numeric._frombuffer": _from_buffer for core in ("numpy.core", "numpy._core")},
}
