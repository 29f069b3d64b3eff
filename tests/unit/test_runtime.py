"""Sessions: what they refuse, and how they say so."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from face_det.errors import ConfigError, ModelError
from face_det.nets.runtime import Session


def doubling() -> bytes:
    """A model that adds `x`, two numbers a row, to itself."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    serialised: bytes = onnx.ModelProto.SerializeToString(model)
    return serialised


@pytest.mark.parametrize("threads", [1, 2])
def test_runs(threads: int) -> None:
    """All outputs, in the model's order."""
    (doubled,) = Session(doubling(), threads).run({"x": np.array([[1, 2], [3, 4]], np.float32)})
    assert doubled.tolist() == [[2, 4], [6, 8]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "tensorflow"}, "runtime must be one of onnxruntime, got 'tensorflow'"),
        ({"device": "cuda"}, "device must be one of cpu, got 'cuda'"),
        ({"threads": 0}, "threads must be 1 or more, got 0"),
    ],
)
def test_unknown_options_are_refused(options: dict[str, Any], message: str) -> None:
    """Never silently something else."""
    with pytest.raises(ConfigError) as error:
        Session(doubling(), **options)
    assert error.value.faults == (message,)


@pytest.mark.parametrize("model", [b"", b"no model", doubling()[:-7]])
def test_a_model_that_does_not_load_is_said(model: bytes) -> None:
    """In one line, with the runtime's version."""
    with pytest.raises(ModelError, match=r"must load in ONNX Runtime \d+\.") as error:
        Session(model)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "feeds",
    [
        {"x": np.zeros((1, 3), np.float32)},
        {"x": np.zeros((1, 2), np.int64)},
        {"z": np.zeros((1, 2), np.float32)},
        {},
    ],
)
def test_inputs_that_do_not_fit_are_said(feeds: dict[str, Any]) -> None:
    """A wrong shape, type or name, in one line."""
    with pytest.raises(ModelError, match="inputs must fit the model, got") as error:
        Session(doubling()).run(feeds)
    assert "\n" not in str(error.value)
