"""Reads the tensors of a file that PyTorch saved, without PyTorch.

Since version 1.6 such a file is a zip archive, stored without compression. Its `data.pkl` is a pickle of a
table of tensors, and each tensor refers to a file of raw numbers in the archive's folder `data`. The pickle
may name only what such a table needs, so reading a file never runs anything.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from face_det.errors import WeightsError

Array = npt.NDArray[Any]

_STORAGE_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
"""The types of numbers that may be stored, by PyTorch's name for an array of them."""


def read_torch_tensors(path: Path) -> dict[str, Array]:
    """Return the tensors in a file of weights, by name, as read-only arrays.

    Raises WeightsError for anything but a table of float32 and int64 tensors, each stored in rows.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (table,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            folder = table.removesuffix("data.pkl")
            reader = _TensorUnpickler(archive.read(table), lambda key: archive.read(f"{folder}data/{key}"))
            tensors = reader.load()
    # A damaged pickle or archive may raise any of these.
    except (OSError, zipfile.BadZipFile, pickle.UnpicklingError, EOFError, *_DAMAGE) as error:
        raise WeightsError(
            f"{path}: must be a file of weights as PyTorch saves it, got {error or type(error).__name__}"
        ) from error
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(tensor, np.ndarray) for name, tensor in tensors.items()
    ):
        raise WeightsError(f"{path}: must hold a table of tensors, got {type(tensors).__name__}")
    return dict(tensors)


_DAMAGE = (
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


class _TensorUnpickler(pickle.Unpickler):
    """Unpickles a table of tensors; any other name is refused."""

    def __init__(self, data: bytes, read: Callable[[str], bytes]) -> None:
        super().__init__(io.BytesIO(data))
        self._read = read
        self._stored: dict[str, Array] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for one of the few names that a table of tensors needs."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _shape_tensor
        if module == "torch" and name in _STORAGE_TYPES:
            return _STORAGE_TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name}, which no table of tensors needs")

    def persistent_load(self, pid: Any) -> Array:
        """Return the stored numbers, shape (n,), of which tensors are made; several may share them."""
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"{kind!r:.40}, which is no array of numbers")
        if key not in self._stored:
            self._stored[key] = np.frombuffer(self._read(key), dtype)
        if len(self._stored[key]) != count or self._stored[key].dtype != dtype:
            raise pickle.UnpicklingError(f"{len(self._stored[key])} numbers instead of {count!r:.20}")
        return self._stored[key]


def _shape_tensor(
    stored: Array, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> Array:
    """Return the tensor of that size that begins at `offset`; ValueError unless it is stored in rows."""
    count = math.prod(size)
    expected = [math.prod(size[axis + 1 :]) for axis in range(len(size))]
    # The stride of an axis of length 1 means nothing.
    in_rows = all(
        length == 1 or step == row for length, step, row in zip(size, stride, expected, strict=True)
    )
    if not in_rows or min((offset, *size)) < 0 or offset + count > len(stored):
        raise ValueError(f"a tensor of size {size} and stride {stride} in {len(stored)} numbers")
    return cast("Array", stored[offset : offset + count].reshape(size))
