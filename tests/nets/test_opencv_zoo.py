"""Models of the OpenCV Zoo: their weights become plain numbers, and nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from face_det.errors import WeightsError
from face_det.nets import catalogue, model_cache, opencv_zoo
from face_det.nets.dlib import onnx_export

CHANNELS, SIDE, OUTPUTS = 6, 4, 3


def quantised(
    rng: np.random.Generator, name: str, shape: tuple[int, int], block: int
) -> tuple[list[onnx.TensorProto], onnx.NodeProto]:
    """int8 weights with a scale and a zero point for each block of a row; the last block may be shorter."""
    rows, columns = shape
    parts = -(-columns // block)
    values: dict[str, npt.NDArray[Any]] = {
        f"{name}_q": rng.integers(-128, 128, shape).astype(np.int8),
        f"{name}_scale": rng.uniform(0.001, 0.01, (rows, parts)).astype(np.float32),
        f"{name}_zero": rng.integers(-20, 20, (rows, parts)).astype(np.int8),
    }
    node = helper.make_node("DequantizeLinear", [*values], [f"{name}_floats"], axis=1, block_size=block)
    return [numpy_helper.from_array(value, key) for key, value in values.items()], node


def small() -> onnx.ModelProto:
    """A small model with everything that SFace has: (1, 3, 4, 4) to (1, 3)."""
    rng = np.random.default_rng(5)
    held: list[onnx.TensorProto] = []

    def hold(name: str, value: npt.NDArray[Any]) -> str:
        held.append(numpy_helper.from_array(value.astype(value.dtype), name))
        return name

    def floats(name: str, *shape: int, low: float = -1.0, high: float = 1.0) -> str:
        return hold(name, rng.uniform(low, high, shape).astype(np.float32))

    def normalisation(given: str, result: str, count: int) -> onnx.NodeProto:
        means = [floats(f"{result}_{part}", count) for part in ("gamma", "beta", "mean")]
        variance = floats(f"{result}_variance", count, low=0.1, high=2.0)
        return helper.make_node("BatchNormalization", [given, *means, variance], [result], epsilon=1e-3)

    conv, dequantised_conv = quantised(rng, "conv", (CHANNELS, 27), 9)
    dense, dequantised_dense = quantised(rng, "dense", (OUTPUTS, CHANNELS * SIDE * SIDE), 64)
    held += [*conv, *dense]
    # Of one a is above 1, and one is 1; of the other none.
    steep = hold("steep", np.array([-0.5, 0, 0.3, 1, 1.004, 1.2], np.float32).reshape(-1, 1, 1))
    flat = hold("flat", np.linspace(-0.5, 0.9, CHANNELS, dtype=np.float32).reshape(-1, 1, 1))
    shape = hold("shape", np.array([CHANNELS, 3, 3, 3], np.int64))
    nodes = [
        dequantised_conv,
        helper.make_node("Reshape", ["conv_floats", shape], ["filters"]),
        helper.make_node("Conv", ["data", "filters"], ["mapped"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        normalisation("mapped", "normal", CHANNELS),
        helper.make_node("PRelu", ["normal", steep], ["bent"]),
        helper.make_node(
            "Conv",
            ["bent", floats("depthwise", CHANNELS, 1, 3, 3), floats("depthwise_bias", CHANNELS)],
            ["spread"],
            group=CHANNELS,
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        ),
        helper.make_node("PRelu", ["spread", flat], ["bent_between"]),
        helper.make_node(
            "Conv",
            ["bent_between", floats("pointwise", CHANNELS, CHANNELS, 1, 1)],
            ["mixed"],
            group=1,
            kernel_shape=[1, 1],
        ),
        helper.make_node("PRelu", ["mixed", steep], ["bent_again"]),
        normalisation("bent_again", "last", CHANNELS),
        helper.make_node("Dropout", ["last"], ["kept"]),
        helper.make_node("Flatten", ["kept"], ["row"]),
        dequantised_dense,
        helper.make_node("Gemm", ["row", "dense_floats", floats("bias", OUTPUTS)], ["product"], transB=1),
        normalisation("product", "fc1", OUTPUTS),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, OUTPUTS])],
        held,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def test_the_same_is_computed() -> None:
    """int8 blocks, normalisations before and after a matrix, slopes above and below 1."""
    model = small()
    data = np.random.default_rng(6).normal(size=(1, 3, SIDE, SIDE)).astype(np.float32)
    (expected,) = ReferenceEvaluator(model).run(None, {"data": data})
    graph = opencv_zoo._QuantisedGraph(model.graph)
    graph.fold_normalisations()
    graph.split_slopes()
    graph.given = [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, SIDE, SIDE])]
    kinds = {node.op_type for node in graph.nodes}
    assert kinds == {"Conv", "Relu", "Add", "Flatten", "Gemm"}
    folded = helper.make_model(
        graph.finished({"fc1": [1, OUTPUTS]}), opset_imports=[helper.make_opsetid("", onnx_export.OPSET)]
    )
    assert [given.name for given in folded.graph.input] == ["data"]
    (found,) = ReferenceEvaluator(folded).run(None, {"data": data})
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(expected) > 0.1


def test_each_slope_costs_one_convolution() -> None:
    """ONNX Runtime computes a Relu and a convolution that adds, in the convolutions' own layout."""
    graph = opencv_zoo._QuantisedGraph(small().graph)
    graph.fold_normalisations()
    kinds = [node.op_type for node in graph.nodes]
    graph.split_slopes()
    split = [node.op_type for node in graph.nodes]
    assert kinds.count("PRelu") == split.count("Relu") == split.count("Add") == 3
    assert split.count("Conv") == kinds.count("Conv") + 3


def test_a_slope_before_another_is_said() -> None:
    """A factor does not pass a second slope, so such a network is refused rather than changed."""
    graph = opencv_zoo._QuantisedGraph(small().graph)
    graph.fold_normalisations()
    graph.nodes.remove(graph.consumer("bent"))
    graph.consumer("spread").input[0] = "bent"
    with pytest.raises(ValueError, match="expected 1"):
        graph.split_slopes()


@pytest.mark.parametrize("build", [opencv_zoo.build_sface, opencv_zoo.build_yunet])
def test_another_file_is_said(build: Any, tmp_path: Path) -> None:
    """The error is one line with the path: no file, half of one, another network's, one that lacks a
    weight."""
    whole = {name: catalogue.weights_path(name).read_bytes() for name in ("sface", "yunet")}
    lacking = onnx.load_from_string(whole["sface" if build is opencv_zoo.build_sface else "yunet"])
    del lacking.graph.initializer[5:]
    contents = {
        "empty": b"",
        "text": b"no model at all",
        "half": whole["yunet"][:60_000],
        "other": whole["yunet" if build is opencv_zoo.build_sface else "sface"],
        "lacking": lacking.SerializeToString(),
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="must hold a network of the OpenCV Zoo") as error:
            build(path)
        assert str(error.value).startswith(f"{path}: ")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["sface", "yunet"])
def test_building_twice_gives_the_same_bytes(name: str) -> None:
    """The model has no trace of int8, and takes batches of any size."""
    path = catalogue.weights_path(name)
    first = model_cache.build_onnx_model(name, path)
    assert model_cache.build_onnx_model(name, path) == first
    graph = onnx.load_from_string(first).graph
    assert not {node.op_type for node in graph.node} & {"DequantizeLinear", "BatchNormalization", "PRelu"}
    (given,) = graph.input
    assert given.type.tensor_type.shape.dim[0].dim_param == "n"
    assert given.type.tensor_type.elem_type == TensorProto.UINT8


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    """Only networks with a builder can be built."""
    with pytest.raises(ValueError, match="got 'landmarks5'"):
        model_cache.build_onnx_model("landmarks5", tmp_path)
