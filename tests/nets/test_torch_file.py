"""Files of weights as PyTorch saves them, read without PyTorch."""

from __future__ import annotations

import collections
import io
import os
import pickle
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from face_det.errors import WeightsError
from face_det.nets.torch_file import read_torch_tensors

VALUES = np.arange(12, dtype="<f4")


class Storage:
    """Stands for the numbers in the archive's file `data/7`."""


class Tensor:
    """Pickled as PyTorch pickles a tensor."""

    def __init__(self, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.parts = (Storage(), offset, size, stride, False, collections.OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        """Name the function that PyTorch names, with the same arguments."""
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


class TorchPickler(pickle.Pickler):
    """Refers to the numbers as PyTorch does."""

    def persistent_id(self, obj: object) -> object:
        """Return what stands for an array of numbers in the archive."""
        kind = sys.modules["torch"].FloatStorage
        return ("storage", kind, "7", "cpu", len(VALUES)) if isinstance(obj, Storage) else None


@pytest.fixture(autouse=True)
def torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names that PyTorch's files use, so that the test can pickle them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    storage = type("FloatStorage", (), {"__module__": "torch"})

    def _rebuild_tensor_v2() -> None:
        raise AssertionError("no name in a file is ever called by itself")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    monkeypatch.setattr(torch, "FloatStorage", storage, raising=False)
    monkeypatch.setattr(utils, "_rebuild_tensor_v2", _rebuild_tensor_v2, raising=False)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def save(path: Path, table: object) -> Path:
    """Write a file as torch.save does."""
    data = io.BytesIO()
    TorchPickler(data, protocol=2).dump(table)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data.getvalue())
        archive.writestr("archive/data/7", VALUES.tobytes())
    return path


def test_tensors_are_read_with_their_shapes(tmp_path: Path) -> None:
    """Several tensors may share numbers; the stride of an axis of length 1 means nothing."""
    table = {"a": Tensor(2, (2, 1, 3), (3, 99, 1)), "b": Tensor(0, (12,), (1,)), "c": Tensor(5, (), ())}
    found = read_torch_tensors(save(tmp_path / "weights.pt", table))
    assert found["a"].tolist() == [[[2, 3, 4]], [[5, 6, 7]]]
    assert np.array_equal(found["b"], VALUES)
    assert found["c"] == 5


@pytest.mark.parametrize(
    "tensor",
    [Tensor(0, (3, 4), (1, 3)), Tensor(8, (5,), (1,)), Tensor(-1, (2,), (1,)), Tensor(0, (2, -1), (1, 1))],
    ids=["columns", "too long", "before", "negative"],
)
def test_a_tensor_outside_its_numbers_is_refused(tensor: Tensor, tmp_path: Path) -> None:
    """Nothing else is read from memory, and no number ends in the wrong place."""
    with pytest.raises(WeightsError, match="a tensor of size"):
        read_torch_tensors(save(tmp_path / "weights.pt", {"a": tensor}))


def test_no_other_name_is_run(tmp_path: Path) -> None:
    """A pickle that would remove a file is refused by name, and the file stays."""

    class Removing:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.remove, (str(tmp_path / "kept"),)

    (tmp_path / "kept").touch()
    with pytest.raises(WeightsError, match=r"posix\.remove, which no table of tensors needs"):
        read_torch_tensors(save(tmp_path / "weights.pt", {"a": Removing()}))
    assert (tmp_path / "kept").exists()


def test_what_is_no_table_of_tensors_is_an_error(tmp_path: Path) -> None:
    """Other files, cut ones and other tables end in one typed error."""
    path = save(tmp_path / "weights.pt", {"a": Tensor(0, (12,), (1,))})
    whole = path.read_bytes()
    for data in (b"", b"no archive", whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(WeightsError, match="as PyTorch saves it"):
            read_torch_tensors(path)
    with pytest.raises(WeightsError, match="a table of tensors"):
        read_torch_tensors(save(path, [1, 2]))
    with pytest.raises(WeightsError, match="No such file"):
        read_torch_tensors(tmp_path / "none.pt")
