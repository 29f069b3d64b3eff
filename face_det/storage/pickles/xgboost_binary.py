"""Reads the binary models of xgboost 0.8 to 1.2 into the JSON layout of later versions.

Current versions can no longer read them. The layout is that of the C++ structures of the time
(LearnerModelParam, GBTreeModelParam, RegTree), little-endian.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SERIALISED_MARKER = b"CONFIG-offset:"
"""xgboost 1.0 to 1.2 write this and the model's length before the model, and its settings after."""

_LEARNER = np.dtype(
    {
        "names": ["base_score", "num_feature", "num_class", "major_version"],
        "formats": ["<f4", "<u4", "<i4", "<u4"],
        "offsets": [0, 4, 8, 20],
        "itemsize": 136,
    }
)
_FOREST = np.dtype({"names": ["num_trees"], "formats": ["<i4"], "itemsize": 160})
_TREE = np.dtype(
    {"names": ["num_nodes", "size_leaf_vector"], "formats": ["<i4"] * 2, "offsets": [4, 20], "itemsize": 148}
)
_NODE = np.dtype([("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("split", "<u4"), ("value", "<f4")])
_STATISTICS = np.dtype(
    [("loss_change", "<f4"), ("sum_hessian", "<f4"), ("base_weight", "<f4"), ("leaf_children", "<i4")]
)
_FEATURE_MASK = np.uint32(2**31 - 1)
"""Selects a split's feature; the bit above says where missing values go."""


class _StructReader:
    """Reads structures one after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, dtype: Any, count: int) -> np.ndarray[Any, Any]:
        size = np.dtype(dtype).itemsize * count
        if count < 0 or self._at + size > len(self._data):
            raise ValueError("an xgboost model that is cut short, or not written by 0.8 to 1.2")
        self._at += size
        return np.frombuffer(self._data, dtype, count, self._at - size)

    def text(self) -> str:
        """Read a string: its length in eight bytes, then its characters."""
        return bytes(self.take(np.uint8, int(self.take("<u8", 1)[0]))).decode("ascii")


def parse_binary_model(handle: bytes) -> dict[str, Any]:
    """Read the model in a Booster's pickled handle, unchecked. Raises ValueError if there is none."""
    if handle.startswith(SERIALISED_MARKER):
        handle = handle[len(SERIALISED_MARKER) + 8 :]
    reader = _StructReader(handle.removeprefix(b"binf"))
    learner = reader.take(_LEARNER, 1)[0]
    objective, booster = reader.text(), reader.text()
    base_score = float(learner["base_score"])
    if objective == "binary:logistic" and not learner["major_version"]:
        # Before 1.0 this was the margin that the trees add to, not the probability.
        base_score = 1 / (1 + math.exp(-base_score))
    trees = [_read_tree(reader) for _ in range(reader.take(_FOREST, 1)[0]["num_trees"])]
    groups = reader.take("<i4", len(trees))
    return {
        "learner": {
            "gradient_booster": {"name": booster, "model": {"trees": trees, "tree_info": groups}},
            "learner_model_param": {
                "base_score": str(np.float32(base_score)),  # xgboost 3.0 misreads more digits
                "num_class": str(learner["num_class"]),
                "num_feature": str(learner["num_feature"]),
            },
            "objective": {"name": objective},
        }
    }


def _read_tree(reader: _StructReader) -> dict[str, Any]:
    parameter = reader.take(_TREE, 1)[0]
    if parameter["size_leaf_vector"]:
        raise ValueError("an xgboost model with several numbers per leaf")
    count = int(parameter["num_nodes"])
    nodes, statistics = reader.take(_NODE, count), reader.take(_STATISTICS, count)
    return {
        "base_weights": statistics["base_weight"],
        "default_left": nodes["split"] >> np.uint32(31),
        "left_children": nodes["left"],
        "loss_changes": statistics["loss_change"],
        "right_children": nodes["right"],
        "split_conditions": nodes["value"],
        "split_indices": nodes["split"] & _FEATURE_MASK,
        "sum_hessian": statistics["sum_hessian"],
    }
